import type { Case } from '../case.ts';
import { apply } from './apply.ts';
import { auth } from './auth.ts';
import { basics } from './basics.ts';
import { core } from './core.ts';
import { deletes } from './deletes.ts';
import { errors } from './errors.ts';
import { lists } from './lists.ts';
import { openapi } from './openapi.ts';
import { patches } from './patches.ts';
import { pods } from './pods.ts';
import { services } from './services.ts';
import { tables } from './tables.ts';
import { travel } from './travel.ts';
import { watches } from './watches.ts';
import { workloads } from './workloads.ts';

/** All cases by suite; each suite's answers are one file under recorded/. */
export const suites: Readonly<Record<string, readonly Case[]>> = {
  basics,
  errors,
  patches,
  apply,
  lists,
  watches,
  deletes,
  tables,
  auth,
  core,
  services,
  pods,
  workloads,
  travel,
  openapi,
};
