import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { failure } from '../../kube/meta/status.ts';
import { rangeOf } from '../../kube/store/key.ts';
import type { Entry } from '../../kube/store/store.ts';
import { admissionContext, admit, attributes, mutate } from '../admit.ts';
import { answerObject, answerRow } from '../answer.ts';
import { type Call, inStages, read, stage, storeOf } from '../call.ts';
import { decodeBody, directiveOf } from '../decode.ts';
import { manageUpdate } from '../managed.ts';
import { danglingOps } from '../owners.ts';
import type { Resource } from '../parts.ts';
import { pretendClaims, put } from '../put.ts';
import { managerOf, writeOptions } from '../query.ts';
import { copy } from '../row.ts';
import {
  applyKindDefaults,
  beforeCreate,
  contextOf,
  dedupOwners,
  ensureNamespace,
  fillSystemFields,
  isDryRun,
  nameTaken,
  wipeSystemFields,
} from '../write.ts';

/** registry.Store's maxNameGenerationCreateAttempts. */
const NAME_ATTEMPTS = 8;

/** POST of a collection. One store call. */
export async function create(call: Call, resource: Resource): Promise<Response> {
  const options = writeOptions(call.query, 'CreateOptions');
  const object = await decodeBody(call, resource, directiveOf(options));
  const name = object.metadata.name ?? '';
  // A Namespace is its own namespace for whoever decides about it.
  if (resource.key === 'namespaces') call.info.namespace = name;
  const dryRun = isDryRun(options);
  applyKindDefaults(call, resource, object, null, dryRun);
  wipeSystemFields(object.metadata);
  ensureNamespace(object.metadata, resource.kind, call.info.namespace);
  dedupOwners(call, object.metadata, false);
  const manager = managerOf(options, call.request.headers.get('user-agent'));
  const managed = inStages(call, manageUpdate(call, resource, null, object, manager));
  if (managed instanceof Promise) await managed;
  const row = await createObject(call, resource, object, { name, dryRun, options: options as JsonObject });
  return 'object' in row ? answerObject(call, resource, 201, row.object) : answerRow(call, resource, 201, row.row);
}

/** A created row, or with dry run the object that would have been. */
export type Written = { row: Entry } | { object: KubeObject };

/** The chain after decoding: mutate, prepare, validate, admit, commit. Also creates on update and on apply. */
export async function createObject(
  call: Call,
  resource: Resource,
  draft: KubeObject,
  o: { name: string; dryRun: boolean; options: JsonObject },
): Promise<Written> {
  const context = admissionContext(call);
  const a = attributes(call, resource.kind, 'CREATE', {
    name: o.name,
    object: draft,
    oldObject: null,
    options: o.options,
    dryRun: o.dryRun,
  });
  const decoded = stage(call);
  if (decoded) await decoded;
  await mutate(call, a, context);
  let object = a.object ?? draft;
  dedupOwners(call, object.metadata, true);
  if (object.metadata.resourceVersion) {
    throw failure('', 'resourceVersion should not be set on objects to be created', undefined, 500);
  }
  const c = contextOf(call, resource, 'create', o.dryRun);
  const generated = !object.metadata.name && object.metadata.generateName !== undefined;
  const pristine = generated ? copy(object) : object;
  for (let attempt = 1; ; attempt++) {
    fillSystemFields(call, object.metadata);
    beforeCreate(call, resource, object, c);
    // Upstream defaults once more when it reads the row back: what a strategy filled in may be what a default rests on.
    resource.kind.default?.(object, null, c);
    a.object = object;
    a.name = object.metadata.name ?? '';
    const filled = stage(call);
    if (filled) await filled;
    await admit(call, a, context);
    const done = o.dryRun ? await dryCreate(call, resource, object) : await store(call, resource, object);
    if (!('taken' in done)) return done;
    if (!generated || attempt === NAME_ATTEMPTS) throw nameTaken(resource, object, done.taken);
    object = copy(pristine);
  }
}

/** `taken` says that the name is, and whether by an object that is being deleted. */
type Outcome = Written | { taken: boolean };

async function store(call: Call, resource: Resource, object: KubeObject): Promise<Outcome> {
  const done = await put(call, resource, object, null, null, danglingOps(call, resource, object, null));
  return 'row' in done ? done : { taken: done.found?.facts.terminating === true };
}

async function dryCreate(call: Call, resource: Resource, object: KubeObject): Promise<Outcome> {
  const { name = '', namespace = '' } = object.metadata;
  const range = rangeOf(resource.stored.group, resource.kind.plural, namespace, name);
  const page = await read(call, storeOf(call, resource, namespace), range, { limit: 1, factsOnly: true });
  const found = page.entries[0];
  return found ? { taken: found.facts.terminating === true } : { object: pretendClaims(call, resource, object, null) };
}
