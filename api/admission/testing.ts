import { policyOf } from '../../kube/kinds/policy.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { StatusError } from '../../kube/meta/status.ts';
import { parseKey, resourceOfKey } from '../../kube/store/key.ts';
import type { Store } from '../../kube/store/store.ts';
import type {
  Admission,
  AdmissionContext,
  Attributes,
  ClusterContext,
  Decision,
  RequestInfo,
  User,
} from '../attributes.ts';
import { createPolicyView } from '../policy.ts';

/** Objects by key: the View gets their deciding parts, the store all of them. */
export type World = Readonly<Record<string, JsonObject>>;
export interface Request {
  /** `create pods ns`, `update nodes/status /n1`: verb, resource with group and subresource, namespace/name. */
  what: string;
  object?: JsonObject;
  old?: JsonObject;
  user?: User;
  /** What the authorizer allows, as `verb resource name`. */
  rights?: readonly string[];
}
export interface Outcome {
  object: KubeObject | null;
  /** Message of the refusal, '' when admitted. */
  error: string;
  warnings: string[];
  annotations: Record<string, string>;
}

/** Runs plugins as a request would: all mutate, then all validate. For tests. */
export async function admitWith(plugins: readonly Admission[], r: Request, world: World = {}): Promise<Outcome> {
  const out: Outcome = { object: null, error: '', warnings: [], annotations: {} };
  const a = attributesOf(r, out);
  const c = contextOf(world, r.rights ?? []);
  try {
    for (const p of plugins) if (p.handles(a)) await p.mutate?.(a, c);
    for (const p of plugins) {
      const denial = p.handles(a) ? await p.validate?.(a, c) : undefined;
      if (denial) throw new Error(`a plugin of ours throws its refusal: ${denial.message}`);
    }
  } catch (e) {
    if (!(e instanceof StatusError)) throw e;
    out.error = e.message;
  }
  out.object = a.object;
  return out;
}

function attributesOf(r: Request, out: Outcome): Attributes {
  const [verb = '', what = '', where = ''] = r.what.split(' ');
  const [plural = '', subresource = ''] = what.split('/');
  const [resource = '', ...group] = plural.split('.');
  const [namespace = '', name = ''] = where.includes('/') ? where.split('/') : [where];
  return {
    isResource: true,
    path: '',
    verb,
    group: group.join('.'),
    version: 'v1',
    resource,
    subresource,
    namespace,
    name,
    rest: [],
    user: r.user ?? { name: 'ann', groups: ['system:authenticated'] },
    operation: verb.toUpperCase() as Attributes['operation'],
    kind: undefined,
    object: r.object ? objectOf(r.object) : null,
    oldObject: r.old ? objectOf(r.old) : null,
    options: {},
    dryRun: false,
    warn: (text) => out.warnings.push(text),
    annotate: (key, value) => {
      out.annotations[key] = value;
    },
  };
}
const objectOf = (o: JsonObject): KubeObject => structuredClone({ metadata: {}, ...o }) as KubeObject;

function contextOf(world: World, rights: readonly string[]): AdmissionContext {
  const view = createPolicyView();
  const changes = Object.entries(world).flatMap(([key, body]) => {
    const object = { ...body, metadata: { name: parseKey(key).name, ...(body.metadata as object) } } as KubeObject;
    const policy = policyOf(resourceOfKey(key), object);
    return policy === undefined ? [] : [{ key, policy, uid: object.metadata.uid ?? '' }];
  });
  view.apply({ ok: false, stale: true, policy: 1, whole: true, changes, missing: [] });
  const store = {
    read: async (range: { from: string }) => {
      const body = world[range.from];
      const entries = body ? [{ key: range.from, value: JSON.stringify({ metadata: {}, ...body }) }] : [];
      return { ok: true, revision: 1, entries, count: entries.length };
    },
  } as unknown as Store;
  return {
    view,
    cluster: { store: () => store, view, env: { random: () => 0, now: () => 0 } } as unknown as ClusterContext,
    assume: () => {},
    authorize: async (_user: User, a: RequestInfo): Promise<Decision> =>
      rights.includes(`${a.verb} ${a.resource} ${a.name}`) ? { allow: true, reason: '' } : 'no-opinion',
  };
}
