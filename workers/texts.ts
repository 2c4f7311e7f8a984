import * as v from 'valibot';
import type { Env } from '../kube/meta/env.ts';
import type { FieldTexts } from '../kube/schema/openapi.ts';
import { TextIndex, TextTable } from '../kube/wire/texts.ts';

/** Gets a file of texts by URL, of which only the path counts: from a folder of the local server, or from assets. */
export type TextFiles = (url: string) => Promise<Response>;

/** How long an index is believed. Texts change when an operator runs `coracle explain-text`. */
const INDEX_MS = 5_000;
const HOST = 'http://texts';

/**
 * Reads texts of kinds and fields for OpenAPI documents. Gives nothing where there are none, or those of another minor. What is read isn't kept, for documents are;
 * the index is, for a while.
 */
export function createTexts(
  files: TextFiles,
  env: Pick<Env, 'now' | 'log'>,
): (minor: string) => Promise<FieldTexts | undefined> {
  let known: { index: TextIndex | undefined; untilMs: number } | undefined;

  async function read<S extends v.GenericSchema>(name: string, schema: S): Promise<v.InferOutput<S> | undefined> {
    const r = await files(`${HOST}/${name}.json`);
    if (r.status !== 200) {
      await r.body?.cancel();
      return undefined;
    }
    const found = v.safeParse(schema, await r.json().catch(() => undefined));
    if (!found.success) env.log('warn', 'texts.damaged', { name });
    return found.success ? found.output : undefined;
  }

  async function index(): Promise<TextIndex | undefined> {
    if (known === undefined || known.untilMs <= env.now())
      known = { index: await read('index', TextIndex), untilMs: env.now() + INDEX_MS };
    return known.index;
  }

  return async (minor) => {
    const found = await index();
    if (found?.minor !== minor) return undefined;
    return {
      version: found.version,
      async of(document) {
        const all = await Promise.all((found.documents[document] ?? []).map((p) => read(p, TextTable)));
        const texts = new Map(all.flatMap((table) => Object.entries(table ?? {})));
        return (struct, field = '') => texts.get(struct)?.[field];
      },
    };
  };
}
