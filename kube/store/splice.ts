import type { Revision } from './store.ts';

const HEAD = '{"metadata":{';

/**
 * The answer for one object, made of its stored text without parsing: kind, apiVersion and resourceVersion are put in front.
 * `text` begins with `{"metadata":{` and its metadata is never empty (store.ts, Value.text).
 */
export function spliceObject(text: string, kind: string, apiVersion: string, revision: Revision): string {
  return `{"kind":"${kind}","apiVersion":"${apiVersion}","metadata":{"resourceVersion":"${revision}",${text.slice(HEAD.length)}`;
}

/** One item of a built-in kind's list: as spliceObject, without kind and apiVersion. */
export function spliceItem(text: string, revision: Revision): string {
  return `{"metadata":{"resourceVersion":"${revision}",${text.slice(HEAD.length)}`;
}

/** True when `text` has the form that splicing needs. */
export function isSpliceable(text: string): boolean {
  return text.startsWith(HEAD) && text.charCodeAt(HEAD.length) === 34;
}
