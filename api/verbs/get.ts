import { badRequest, notFound } from '../../kube/meta/status.ts';
import { rangeOf } from '../../kube/store/key.ts';
import type { Entry, Revision } from '../../kube/store/store.ts';
import { answerObject, answerRow } from '../answer.ts';
import { type Call, read, storeOf } from '../call.ts';
import type { Resource } from '../parts.ts';
import { objectOf } from '../row.ts';
import { futureRead, revisionOf, tooLargeRevision } from '../select.ts';
import { asTarget } from '../target.ts';

/** The row that the request names, as it stood `at` a revision where one is given; 404 when there is none, 504 when the store is older than `atLeast`. One store call. */
export async function readRow(
  call: Call,
  resource: Resource,
  name = call.info.name,
  atLeast: Revision = 0,
  at?: Revision,
): Promise<Entry> {
  const { namespace } = call.info;
  const { stored, kind } = resource;
  const range = rangeOf(stored.group, kind.plural, kind.scope === 'Namespaced' ? namespace : '', name);
  const store = storeOf(call, resource, namespace);
  const page = await (at === undefined
    ? read(call, store, range, { limit: 1 })
    : read(call, store, range, { limit: 1, at }).catch((e: unknown) => {
        throw futureRead(e, at);
      }));
  if (atLeast > page.revision) throw tooLargeRevision(atLeast, page.revision);
  const row = page.entries[0];
  if (!row) throw notFound(resource.name, name);
  return row;
}

/** GET of one object or of a view of it (status, scale). The body is not parsed unless the client wants another form. */
export async function get(call: Call, resource: Resource): Promise<Response> {
  if (call.query.size > 0) checkExport(call.query);
  const asked = revisionOf(call.query.get('resourceVersion') ?? undefined, true);
  // Upstream's GET knows no match. Who names one means what a list's does.
  const isExact = asked > 0 && call.query.get('resourceVersionMatch') === 'Exact';
  const row = await readRow(call, resource, call.info.name, asked, isExact ? asked : undefined);
  const view = call.info.subresource === '' ? undefined : resource.kind.subresources?.[call.info.subresource];
  if (view?.is === 'view' && view.as) {
    return answerObject(call, resource, 200, view.as.read(objectOf(resource, row)), asTarget(call, view.as.ref).struct);
  }
  return answerRow(call, resource, 200, row);
}

function checkExport(query: URLSearchParams): void {
  const asked = query.get('export');
  if (asked !== null && asked !== '0' && asked.toLowerCase() !== 'false') {
    throw badRequest('the export parameter, deprecated since v1.14, is no longer supported');
  }
}
