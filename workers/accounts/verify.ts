import { Hono } from 'hono';
import * as v from 'valibot';
import { type Placement, parseStoreName, SIBLINGS, storeName } from '../../kube/store/placement.ts';
import type { Bindings } from '../bindings.ts';
import { turn, world } from '../env.ts';
import type { Verified } from '../tenant/verify.ts';
import { checked } from './checked.ts';
import { API_VERSION, type App, CLUSTERS, readBody, rowOf } from './tenancy.ts';

/** Slices of one answer: a client hears of progress some times a second, and no answer takes long. */
const SLICES = 64;
const SLICES_MS = 300;
/** Findings of one answer; the rest are counted. */
const FINDINGS_MAX = 100;

const Verification = v.object({ spec: v.optional(v.object({ continue: v.optional(v.string()) })) });
/** Where it goes on: the parts left, the first of them at `next`. */
const Continue = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ parts: v.array(v.picklist(['main', ...SIBLINGS])), next: v.optional(v.string()) }),
);

/** Verification of a cluster's stores: POST looks at some slices and tells with what `spec.continue` to ask for the next ones. */
export function verification(): Hono<App> {
  const app = new Hono<App>();
  app.post(`${CLUSTERS}/:name/verify`, async (c) => {
    const name = c.req.param('name');
    const { id } = await rowOf(c.env, name);
    const asked = (await readBody(c.req.raw, Verification)).spec?.continue;
    return c.json({
      kind: 'ClusterVerification',
      apiVersion: API_VERSION,
      metadata: { name },
      status: await someSlices(c.env, id, asked),
    });
  });
  return app;
}

async function someSlices(b: Bindings, id: string, asked: string | undefined) {
  const from = asked === undefined ? { parts: await partsOf(b, id) } : checked(Continue, asked);
  const [part, ...others] = from.parts;
  const status = { part, table: '', rows: 0, unsummed: 0, found: 0, findings: [] as string[] };
  if (part === undefined) return status;
  const tenant = b.TENANTS.getByName(storeName(id, part));
  const until = world.now() + SLICES_MS;
  let { next } = 'next' in from ? from : { next: undefined };
  for (let n = 0; n < SLICES && world.now() < until; n++) {
    await turn();
    const slice = await tenant.verify(next).catch(unopened);
    status.table = slice.table;
    status.rows += slice.rows;
    status.unsummed += slice.unsummed;
    status.found += slice.found;
    for (const f of slice.findings) if (status.findings.length < FINDINGS_MAX) status.findings.push(f);
    next = slice.next;
    if (next === undefined) break;
  }
  const left = next === undefined ? others : [part, ...others];
  return left.length === 0 ? status : { ...status, continue: JSON.stringify({ parts: left, next }) };
}

/** A file that is no database any more can't be asked. */
function unopened(e: unknown): Verified {
  const findings = [`the store cannot be opened: ${e instanceof Error ? e.message : e}; the server's log tells why`];
  return { table: 'file', rows: 0, unsummed: 0, findings, found: 1 };
}

async function partsOf(b: Bindings, id: string): Promise<Placement[]> {
  const { part } = parseStoreName(id);
  const siblings = await b.TENANTS.getByName(id)
    .parts()
    .catch(() => []);
  return [part, ...siblings];
}
