import { atOnce } from '../../kube/meta/atonce.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { StatusError } from '../../kube/meta/status.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Entry, Page } from '../../kube/store/store.ts';
import type { Call } from '../call.ts';
import { read, storeOf } from '../call.ts';
import { decodeDeleteOptions } from '../decode-options.ts';
import { listForm, type Pages } from '../list-forms.ts';
import type { Resource } from '../parts.ts';
import { listOptions } from '../query.ts';
import { respond } from '../respond.ts';
import { selectionOf } from '../select.ts';
import { removeObject } from './delete.ts';
import { body } from './list.ts';

/** Deletions under way at once: a Worker has six outgoing connections. */
const AT_ONCE = 6;
/** Rows read in one step: of 10 KB some milliseconds. */
const ROWS_STEP = 32;

/** DELETE of a collection: every selected object by its own rules; not atomic. The answer is the list of what was found. */
export async function removeCollection(call: Call, resource: Resource): Promise<Response> {
  const o = listOptions(call.query, false);
  const selected = selectionOf(call, resource, o);
  const options = await decodeDeleteOptions(call);
  const store = storeOf(call, resource, selected.namespace);
  const form = listForm(call, resource);
  const pages: Page[] = [];
  let after: string | undefined;
  let revision = 0;
  for (;;) {
    const page = await read(call, store, selected.range, {
      ...(selected.select ? { select: selected.select } : {}),
      ...(after === undefined ? {} : { after, at: revision }),
      limit: o.limit && o.limit > 0 ? o.limit : ROWS_STEP,
    });
    revision = page.revision;
    await removeAll(call, resource, page.entries, options);
    // As bytes already: printing thousands of objects at once would hold up everybody else.
    pages.push(form.encode ? { ...page, entries: [], items: form.encode(page) } : page);
    if (page.next === undefined || (o.limit && o.limit > 0)) break;
    after = page.next;
    await call.cluster.turn?.();
  }
  const metadata = { resourceVersion: String(revision) };
  return respond(call, 200, await body(call, form.parts(pagesFrom(pages, 0, metadata))), form.type);
}

/** Pages in hand, from one on. */
function pagesFrom(pages: readonly Page[], from: number, metadata: JsonObject): Pages {
  let i = from;
  return {
    next: async () => pages[i++],
    metadata: () => metadata,
    again: () => pagesFrom(pages, i, metadata),
    done: () => undefined,
    skip: () => undefined,
  };
}

async function removeAll(
  call: Call,
  resource: Resource,
  rows: readonly Entry[],
  options: Awaited<ReturnType<typeof decodeDeleteOptions>>,
): Promise<void> {
  await atOnce(AT_ONCE, rows, async (row) => {
    // Each of them: while one goes on without, calls within the process leave no time in which the network is looked at.
    await call.cluster.turn?.();
    const { namespace, name } = parseKey(row.key);
    try {
      await removeObject(call, resource, namespace, name, { ...options }, row);
    } catch (e) {
      // Somebody else has deleted it meanwhile.
      if (!(e instanceof StatusError) || e.code !== 404) throw e;
    }
  });
}
