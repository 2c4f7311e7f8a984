import { storeName } from '../../../kube/store/placement.ts';
import type { PutOp } from '../../../kube/store/store.ts';
import { world } from '../../../workers/env.ts';
import { makeTenantStore } from '../../../workers/tenant/object.ts';

interface Bindings {
  TENANT: DurableObjectNamespace<Churned>;
}

let offsetMs = 0;
const EVENTS_PER_S = 20;
const EVENT_TTL_MS = 3_600_000;
const PADDING = 'e'.repeat(600);

/** A store object on a clock that is moved by a second for each second's work. */
export class Churned extends makeTenantStore<Bindings>({
  objects: (env) => env.TENANT,
  env: { ...world, now: () => world.now() + offsetMs },
}) {
  /** Some seconds of Events; the database's bytes, and how many milliseconds the longest steps took. */
  async churn(from: number, seconds: number): Promise<{ bytes: number; commitMs: number; alarmMs: number }> {
    let [commitMs, alarmMs] = [0, 0];
    for (let s = from; s < from + seconds; s++) {
      offsetMs += 1_000;
      const ops = Array.from({ length: EVENTS_PER_S }, (_, i): PutOp => {
        const name = `e${s}-${i}`;
        const text = JSON.stringify({ metadata: { name, namespace: 'default' }, message: PADDING });
        const value = { text, version: 'v1', schema: 's' };
        const fields = { 'involvedObject.uid': `uid-${i}`, 'involvedObject.name': `p${i}` };
        return { key: `events/default/${name}`, expect: 0, value, facts: { uid: name, fields }, ttlMs: EVENT_TTL_MS };
      });
      let began = performance.now();
      await Promise.all(ops.map((op) => this.commit([op])));
      commitMs = Math.max(commitMs, performance.now() - began);
      // The alarm is set for the moved time, so the platform doesn't ring: once a second is what a busy store gets.
      began = performance.now();
      await this.alarm();
      alarmMs = Math.max(alarmMs, performance.now() - began);
    }
    return { bytes: this.ctx.storage.sql.databaseSize, commitMs, alarmMs };
  }
}

export default {
  async fetch(request: Request, env: Bindings): Promise<Response> {
    const q = new URL(request.url).searchParams;
    if (q.has('create')) await env.TENANT.getByName('churn').create({ base: '', uidPrefix: '', createdMs: 0 });
    const events = env.TENANT.getByName(storeName('churn', 'events'));
    return Response.json(await events.churn(Number(q.get('from')), Number(q.get('seconds'))));
  },
};
