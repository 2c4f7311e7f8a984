import type { Behaviour } from './behaviour.ts';
import { APPS } from './columns/apps.ts';
import { CORE } from './columns/core.ts';
import { MORE } from './columns/more.ts';

/** Columns alone, for kinds whose own file says nothing of them. */
const COLUMNS = { ...CORE, ...APPS, ...MORE };

const OWN: Record<string, Behaviour> = {};

/** Behaviour by groupResource of the storage version: each kind's own file, and its columns. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = Object.fromEntries(
  [...new Set([...Object.keys(COLUMNS), ...Object.keys(OWN)])].map((resource) => {
    const columns = COLUMNS[resource];
    return [resource, { ...(columns ? { columns } : {}), ...OWN[resource] }];
  }),
);
