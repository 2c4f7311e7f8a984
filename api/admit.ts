import { sleep } from '../kube/meta/env.ts';
import type { Json } from '../kube/meta/json.ts';
import { StatusError } from '../kube/meta/status.ts';
import type { Key } from '../kube/store/store.ts';
import type { Admission, AdmissionContext, Attributes } from './attributes.ts';
import { Again, assumption, authorize, type Call, warn } from './call.ts';
import { decideCharge } from './charge.ts';

// A call's way through the admission plugins.

/** What admission plugins may ask of a call. */
export function admissionContext(call: Call): AdmissionContext {
  return {
    view: call.cluster.view,
    cluster: call.cluster,
    assume: (exist) => call.exist.push(exist),
    authorize: async (user, info) => authorize(call, user, info),
    charge: (decide) => decideCharge(call, decide),
    awaitObject: (key, tries, ms) => awaitObject(call, key, tries, ms),
  };
}
/** Looks whether an object that the View lacks has come; starts the attempt anew when it has. Once a request. */
async function awaitObject(call: Call, key: Key, tries: number, ms: number): Promise<void> {
  if (call.kept.waited) return;
  call.kept.waited = true;
  const store = call.cluster.store('namespaces', '');
  for (let i = 0; i < tries; i++) {
    if (i > 0) await sleep(call.cluster.env, ms);
    const r = await store.confirm(assumption(call));
    if (!r.ok && (r.whole || r.changes.some((c) => c.key === key && c.policy !== null))) throw new Again(r);
    if (!r.ok && r.missing.length > 0) throw new Again(r);
  }
}
export async function mutate(call: Call, a: Attributes, c: AdmissionContext): Promise<void> {
  for (const plugin of call.parts.admission) {
    if (!plugin.mutate || !plugin.handles(a)) continue;
    const r = plugin.mutate(a, c);
    if (r instanceof Promise) await r;
  }
}
export async function admit(call: Call, a: Attributes, c: AdmissionContext): Promise<void> {
  // Of an attempt before, which lost.
  if (call.charging) delete call.charging;
  for (const plugin of call.parts.admission) {
    if (!plugin.validate || !plugin.handles(a)) continue;
    const r = plugin.validate(a, c);
    const denial = r instanceof Promise ? await r : r;
    if (denial) throw denied(a, denial, plugin);
  }
}
function denied(
  a: Attributes,
  d: { code?: number; reason?: string; message: string },
  _plugin: Admission,
): StatusError {
  const name = a.name || a.object?.metadata.name || 'Unknown';
  const resource = a.group === '' ? a.resource : `${a.resource}.${a.group}`;
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: d.code === undefined ? `${resource} ${JSON.stringify(name)} is forbidden: ${d.message}` : d.message,
    reason: d.reason ?? 'Forbidden',
    ...(d.code === undefined
      ? { details: { name, ...(a.group === '' ? {} : { group: a.group }), kind: a.resource } }
      : {}),
    code: d.code ?? 403,
  });
}

/** Attributes of this request for admission. */
export function attributes(
  call: Call,
  kind: Attributes['kind'],
  operation: Attributes['operation'],
  o: {
    name: string;
    object: Attributes['object'];
    oldObject: Attributes['oldObject'];
    options: Record<string, Json | undefined>;
    dryRun: boolean;
  },
): Attributes {
  return {
    ...call.info,
    name: o.name,
    user: call.user,
    operation,
    kind,
    object: o.object,
    oldObject: o.oldObject,
    options: o.options,
    dryRun: o.dryRun,
    warn: (text) => warn(call, text),
    annotate: (key, value) => {
      call.annotations[key] = value;
    },
  };
}
