import { printJson } from '../../kube/codec/json.ts';
import { serviceCIDR } from '../../kube/kinds/serviceips.ts';
import type { Env } from '../../kube/meta/env.ts';
import type { Facts } from '../../kube/meta/facts.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { ChangeSource } from '../../kube/reconcile/changes.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import { MemoryProjection } from '../../kube/reconcile/projection.ts';
import { createRunner } from '../../kube/reconcile/runner.ts';
import { Interests } from '../../kube/store/interest.ts';
import { EVERYTHING } from '../../kube/store/key.ts';
import { isPut } from '../../kube/store/limits.ts';
import { withMembers } from '../../kube/store/members.ts';
import { MemoryStore } from '../../kube/store/memory.ts';
import { placement } from '../../kube/store/placement.ts';
import { type Entry, type Key, MAX_OPS, type Op, type Store } from '../../kube/store/store.ts';
import { dnsService } from '../../kube/wire/clusteraddresses.ts';
import { createClient, json, type Send } from '../loops/client.ts';
import type { BaseLayer } from '../tenant/base.ts';

/** When the recording takes place: a second that no text has by chance. */
const TIME_MS = Date.UTC(2001, 1, 3, 4, 5, 6);
const TIME = formatTime(TIME_MS);
const CA = '%cluster-ca%';
const UID = /%first-uid-\d+%/g;
/** A new cluster's loops write a dozen objects. */
const BUDGET = { writes: 100, ms: 5_000 };

/** What every cluster has at first, and nobody makes again: whoever wants another DNS server may delete its Service. */
function firstObjects(): readonly [path: string, object: JsonObject][] {
  const { address, port } = dnsService(serviceCIDR());
  const metadata = {
    name: 'kube-dns',
    namespace: 'kube-system',
    labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
  };
  const ports = [
    { name: 'dns', port, protocol: 'UDP' },
    { name: 'dns-tcp', port, protocol: 'TCP' },
  ];
  const dns = { apiVersion: 'v1', kind: 'Service', metadata, spec: { clusterIP: address, ports } };
  return [['/api/v1/namespaces/kube-system/services', dns]];
}

/** What the loops make of every new cluster (default ServiceAccounts, the CA's ConfigMaps, the Service kubernetes), with marks for uids, time and CA. */
export type Beginning = readonly Op[];

/** What the recording takes of the API. */
export interface Recording {
  layer: BaseLayer;
  controllers: readonly Controller[];
  /** A way to write to a cluster whose stores these are, in this world. */
  send(store: (resource: string, namespace: string) => Store, env: Env): Promise<Send>;
  env: Env;
}

/**
 * Lets the controllers work once on a cluster in memory and keeps what they commit: a new cluster then begins with it, written with its first row, and its loops
 * sleep until somebody changes something.
 */
export async function recordBeginning(r: Recording): Promise<Beginning> {
  let uids = 0;
  const env: Env = { ...r.env, now: () => TIME_MS, uuid: () => `%first-uid-${++uids}%` };
  const written: Op[] = [];
  const main = new MemoryStore(env);
  await fillWith(main, r.layer);
  const sibling = new MemoryStore(env);
  const recorded = recording(main, written);
  const send = await r.send(
    (resource, namespace) => (placement(resource, namespace) === 'main' ? recorded : sibling),
    env,
  );
  for (const [path, object] of firstObjects()) {
    const answer = await send('kubernetes-service-controller', json('POST', path, object));
    if (answer.status !== 201) throw new Error(`${path}: ${await answer.text()}`);
  }
  const client = createClient(send, { clusterCa: async () => ({ pem: CA }) }, env);
  await createRunner(r.controllers, new MemoryProjection(), sourceOf(main), client, env).round(BUDGET);
  return finalOps(written);
}

async function fillWith(store: Store, layer: BaseLayer): Promise<void> {
  for (let i = 0; i < layer.rows.length; i += MAX_OPS) {
    await store.commit(
      layer.rows
        .slice(i, i + MAX_OPS)
        .map(
          ({ key, text, version, schema, facts }): Op => ({ key, expect: 0, value: { text, version, schema }, facts }),
        ),
    );
  }
}

/** The store, noting what is committed. */
function recording(store: MemoryStore, written: Op[]): Store {
  return withMembers(store, {
    async commit(ops, o) {
      const done = await store.commit(ops, o);
      if (done.ok) written.push(...ops);
      return done;
    },
  });
}

/** Everything anew at each look: a dozen rows of one tiny cluster. */
function sourceOf(store: Store): ChangeSource {
  let seen = -1;
  return {
    async changes(_after, interests) {
      const page = await store.read(EVERYTHING);
      if (!page.ok) throw new Error('a read without assumptions was called stale');
      const wants = new Interests(interests.map((i) => [i, true] as const));
      const wanted = (e: Entry) => e.revision > seen && wants.wants(e.key, e.facts);
      const rows = page.entries.filter(wanted).map((entry) => ({ key: entry.key, revision: entry.revision, entry }));
      seen = page.revision;
      return { revision: page.revision, rows, more: false };
    },
    // Nobody but the recording writes to this cluster.
    register: async () => undefined,
    snapshot: async () => ({ revision: seen, entries: [] }),
  };
}

/** Each key once, as it was last written; in the order of their first writes. */
function finalOps(written: readonly Op[]): Op[] {
  const puts = new Map<Key, Op>();
  const rest: Op[] = [];
  for (const op of written) {
    if (!isPut(op)) rest.push(op);
    else if (op.value === null) puts.delete(op.key);
    else puts.set(op.key, { ...op, expect: 0 });
  }
  return [...puts.values(), ...rest];
}

/** The operations of one new cluster. */
export function beginCluster(b: Beginning, o: { now: number; ca: string; uuid(): string }): Op[] {
  const uids = new Map<string, string>();
  const created = formatTime(o.now);
  const ca = printJson(o.ca).slice(1, -1);
  const fill = (text: string) =>
    text
      .replaceAll(TIME, created)
      .replaceAll(CA, ca)
      .replace(UID, (mark) => {
        const uid = uids.get(mark) ?? o.uuid();
        uids.set(mark, uid);
        return uid;
      });
  return b.map((op) =>
    !isPut(op) || op.value === null
      ? op
      : {
          ...op,
          value: { ...op.value, text: fill(op.value.text) },
          facts: JSON.parse(fill(JSON.stringify(op.facts))) as Facts,
        },
  );
}
