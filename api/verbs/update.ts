import { invalid as invalidIssue } from '../../kube/meta/issues.ts';
import { equalJson, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { conflict, failure, invalid, notFound, STALE_WRITE, type StatusError } from '../../kube/meta/status.ts';
import type { Steps } from '../../kube/meta/steps.ts';
import { keyOf, rangeOf } from '../../kube/store/key.ts';
import type { Entry, Op } from '../../kube/store/store.ts';
import { admissionContext, admit, attributes, mutate } from '../admit.ts';
import { answerObject, answerRow } from '../answer.ts';
import { authorize, type Call, commit, inStages, read, stage, storeOf } from '../call.ts';
import { decodeBody, directiveOf, type Target } from '../decode.ts';
import { denied } from '../forbidden.ts';
import { fromKnown } from '../known.ts';
import { checkAfterAdmission, manageScale, manageUpdate, settleTimes } from '../managed.ts';
import { danglingOps } from '../owners.ts';
import type { Resource } from '../parts.ts';
import { pretendClaims, put } from '../put.ts';
import { managerOf, writeOptions } from '../query.ts';
import { copy, objectOf, readObject } from '../row.ts';
import { asTarget } from '../target.ts';
import {
  applyKindDefaults,
  beforeUpdate,
  checkName,
  contextOf,
  dedupOwners,
  ensureNamespace,
  isDryRun,
  wipeSystemFields,
} from '../write.ts';
import { createObject, type Written } from './create.ts';
import { buriedOf } from './delete.ts';

/** How often a write without a version of its own is decided anew after a lost race; upstream has no bound. */
const RACES_MAX = 64;

/** What becomes of the current object, in steps; `prev` may be changed by nobody. Throws what refuses. */
export type Revise = (prev: KubeObject) => Steps<KubeObject>;
export interface Update {
  /** Makes the next object; called anew after a lost race. */
  revise: Revise;
  /** Makes the object when there is none; absent = 404. */
  make?: () => Steps<KubeObject>;
  dryRun: boolean;
  options: JsonObject;
  /** The object that the client named must have this uid. */
  uid?: string | undefined;
}

/** PUT. Two store calls, one where this process has seen the row. */
export async function update(call: Call, resource: Resource): Promise<Response> {
  const options = writeOptions(call.query, 'UpdateOptions');
  const { info } = call;
  const view = info.subresource === '' ? undefined : resource.kind.subresources?.[info.subresource];
  const as = view?.is === 'view' ? view.as : undefined;
  const target: Target = as ? asTarget(call, as.ref) : resource;
  const body = await decodeBody(call, target, directiveOf(options));
  ensureNamespace(body.metadata, resource.kind, info.namespace);
  checkName(body.metadata, info.name, info.namespace);
  dedupOwners(call, body.metadata, false);
  const dryRun = isDryRun(options);
  const manager = managerOf(options, call.request.headers.get('user-agent'));
  const done = await reviseObject(call, resource, {
    *revise(prev) {
      const next = as ? writeView(as, prev, body) : copy(body);
      if (!as) applyKindDefaults(call, resource, next, prev, dryRun);
      yield;
      yield* (as ? manageScale : manageUpdate)(call, resource, prev, next, manager);
      return next;
    },
    ...(resource.kind.createOnUpdate && info.subresource === ''
      ? {
          *make() {
            const next = copy(body);
            wipeSystemFields(next.metadata);
            applyKindDefaults(call, resource, next, null, dryRun);
            yield* manageUpdate(call, resource, null, next, manager);
            return next;
          },
        }
      : {}),
    dryRun,
    options: options as JsonObject,
    uid: body.metadata.uid || undefined,
  });
  return answerWritten(call, resource, done, as);
}

/** How another kind speaks for the object. */
export type As = NonNullable<Extract<NonNullable<Resource['kind']['subresources']>[string], { is: 'view' }>['as']>;

/** The object with what a view of another kind says written into it. */
export function writeView(as: As, prev: KubeObject, view: KubeObject): KubeObject {
  const next = copy(prev as JsonObject) as KubeObject;
  const version = view.metadata.resourceVersion;
  const issues = as.write(next, view);
  if (issues && issues.length > 0) {
    throw invalid({ group: as.ref.group, kind: as.ref.kind }, prev.metadata.name ?? '', issues);
  }
  // The view's version is the client's precondition.
  if (version) next.metadata.resourceVersion = version;
  else delete next.metadata.resourceVersion;
  return next;
}

/** The answer to an update or a patch: 201 when it created. */
export function answerWritten(call: Call, resource: Resource, done: Revised, as?: As): Response | Promise<Response> {
  const code = done.created ? 201 : 200;
  if (as) {
    const object = 'row' in done ? objectOf(resource, done.row) : done.object;
    return answerObject(call, resource, code, as.read(object), asTarget(call, as.ref).struct);
  }
  return 'row' in done ? answerRow(call, resource, code, done.row) : answerObject(call, resource, code, done.object);
}

export type Revised = Written & { created: boolean };

/** Read, revise, validate, admit, commit; again with what was found when the race is lost. */
export async function reviseObject(call: Call, resource: Resource, u: Update): Promise<Revised> {
  const { info } = call;
  const namespace = resource.kind.scope === 'Namespaced' ? info.namespace : '';
  const store = storeOf(call, resource, namespace);
  const { group } = resource.stored;
  const { plural } = resource.kind;
  const begun = u.dryRun
    ? undefined
    : await fromKnown(call, keyOf(group, plural, namespace, info.name), async (known) => {
        const r = await reviseRow(call, resource, known, u);
        return 'row' in r && r.row === known ? undefined : r;
      });
  if (begun && !('found' in begun)) return { ...begun, created: false };
  let row = begun
    ? begun.found
    : (await read(call, store, rangeOf(group, plural, namespace, info.name), { limit: 1 })).entries[0];
  for (let i = 0; i < RACES_MAX; i++) {
    if (!row) return { ...(await createInstead(call, resource, u)), created: true };
    const r = await reviseRow(call, resource, row, u);
    if (!('found' in r)) return { ...r, created: false };
    row = r.found;
  }
  throw conflict(resource.name, info.name, STALE_WRITE);
}

async function createInstead(call: Call, resource: Resource, u: Update): Promise<Written> {
  const { info } = call;
  if (!u.make) throw notFound(resource.name, info.name);
  if (u.uid) throw uidMismatch(resource, info.namespace, info.name, u.uid, '');
  const object = await inStages(call, u.make());
  const creates = { ...info, verb: 'create' };
  const d = await authorize(call, call.user, creates);
  if (!d.allow) throw denied(call.user, creates, d.reason);
  return createObject(call, resource, object, { name: info.name, dryRun: u.dryRun, options: u.options });
}

type Tried = Written | { found: Entry | undefined };

async function reviseRow(call: Call, resource: Resource, row: Entry, u: Update): Promise<Tried> {
  const parsed = readObject(call, resource, row);
  const prev = parsed instanceof Promise ? await parsed : parsed;
  checkUid(resource, prev, u.uid);
  const turn = stage(call);
  if (turn) await turn;
  const revised = inStages(call, u.revise(prev));
  const draft = revised instanceof Promise ? await revised : revised;
  const managed = draft.metadata.managedFields;
  const context = admissionContext(call);
  const a = attributes(call, resource.kind, 'UPDATE', {
    name: call.info.name,
    object: draft,
    oldObject: prev,
    options: u.options,
    dryRun: u.dryRun,
  });
  const decoded = stage(call);
  if (decoded) await decoded;
  await mutate(call, a, context);
  const next = a.object ?? draft;
  checkAfterAdmission(call, next, managed);
  dedupOwners(call, next.metadata, true);
  checkVersion(resource, next, prev);
  beforeUpdate(call, resource, next, prev, contextOf(call, resource, 'update', u.dryRun));
  const mutated = stage(call);
  if (mutated) await mutated;
  settleTimes(prev, next);
  a.object = next;
  await admit(call, a, context);
  const admitted = stage(call);
  if (admitted) await admitted;
  if (deletesNow(resource, next, prev)) return remove(call, resource, row, next, u.dryRun);
  if (isSame(resource, row, next, prev)) return { row };
  if (u.dryRun) return { object: pretendClaims(call, resource, next, prev) };
  return put(call, resource, next, prev, row, danglingOps(call, resource, next, prev));
}

/** Nothing to write: the row is current and says the same. */
function isSame(resource: Resource, row: Entry, next: KubeObject, prev: KubeObject): boolean {
  return (
    row.version === resource.storedVersion &&
    row.schema === resource.hash &&
    equalJson(next as JsonObject, prev as JsonObject)
  );
}

function checkUid(resource: Resource, prev: KubeObject, uid: string | undefined): void {
  const { uid: has = '', name = '', namespace = '' } = prev.metadata;
  if (uid && uid !== has) throw uidMismatch(resource, namespace, name, uid, has);
}
/** Where upstream keeps a few kinds in etcd under another name than their plural. */
const ETCD_NAMES: Readonly<Record<string, string>> = {
  services: 'services/specs',
  endpoints: 'services/endpoints',
  nodes: 'minions',
  'ingresses.networking.k8s.io': 'ingress',
};
/** A uid precondition that doesn't hold, in the words of upstream's storage. */
function uidMismatch(r: Resource, namespace: string, name: string, asked: string, has: string): StatusError {
  const place = r.custom ? `${r.stored.group}/${r.kind.plural}` : (ETCD_NAMES[r.key] ?? r.kind.plural);
  const key = `/registry/${place}/${namespace === '' ? '' : `${namespace}/`}${name}`;
  const why = `Precondition failed: UID in precondition: ${asked}, UID in object meta: ${has}`;
  return conflict(
    r.name,
    name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`,
  );
}

/** The version that the object names must be the current one; none means any, where the kind allows that. */
function checkVersion(resource: Resource, next: KubeObject, prev: KubeObject): void {
  const asked = next.metadata.resourceVersion ?? '';
  if (asked === '' || asked === '0') {
    if (resource.kind.needsVersion) {
      throw invalid({ group: resource.name.group, kind: resource.name.resource }, prev.metadata.name ?? '', [
        invalidIssue('metadata.resourceVersion', 0, 'must be specified for an update'),
      ]);
    }
    next.metadata.resourceVersion = prev.metadata.resourceVersion ?? '';
  } else if (!/^\d+$/.test(asked)) {
    // Upstream fails to read it and says no more.
    throw failure('', `strconv.ParseUint: parsing ${JSON.stringify(asked)}: invalid syntax`, undefined, 500);
  } else if (asked !== prev.metadata.resourceVersion) {
    throw conflict(resource.name, prev.metadata.name ?? '', STALE_WRITE);
  }
}

/** registry.ShouldDeleteDuringUpdate: the last finalizer of a deleted object has gone. */
function deletesNow(resource: Resource, next: KubeObject, prev: KubeObject): boolean {
  if (prev.metadata.deletionTimestamp === undefined) return false;
  if ((next.metadata.finalizers?.length ?? 0) > 0) return false;
  if ((prev.metadata.deletionGracePeriodSeconds ?? 0) !== 0) return false;
  return !resource.kind.deletion?.held?.(next);
}

async function remove(call: Call, resource: Resource, row: Entry, next: KubeObject, dryRun: boolean): Promise<Tried> {
  if (dryRun) return { object: next };
  const store = storeOf(call, resource, next.metadata.namespace ?? '');
  const end: Op = { key: row.key, expect: row.revision, value: null };
  const done = await commit(call, store, [end, ...buriedOf(resource, row)]);
  call.cluster.rows?.drop(row.key);
  if (done.ok) return { object: next };
  if (done.lost !== 'race')
    throw failure('InternalError', `Internal error occurred: the commit was lost: ${done.lost}`);
  const found = done.found[0] ?? undefined;
  // Somebody else has deleted it: that is what was wanted.
  return found ? { found } : { object: next };
}
