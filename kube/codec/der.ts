import { hexOf } from './hex.ts';

// DER of certificates and requests (X.690), as far as a server looks into them.

/** One element: its tag and where its content is. */
export interface Element {
  tag: number;
  from: number;
  to: number;
}
export const SEQUENCE = 0x30;

/** The elements that one is made of; throws RangeError where the bytes end too early. */
export function children(der: Uint8Array, parent: Element): Element[] {
  const list: Element[] = [];
  for (let at = parent.from; at < parent.to; ) {
    const e = element(der, at);
    list.push(e);
    at = e.to;
  }
  return list;
}

/** The element at `at`; throws RangeError where the bytes end within it. */
export function element(der: Uint8Array, at: number): Element {
  const tag = der[at];
  const first = der[at + 1];
  if (tag === undefined || first === undefined) throw new RangeError('the data ends within an element');
  let from = at + 2;
  let length = first;
  if (first >= 0x80) {
    length = 0;
    for (let n = first & 0x7f; n > 0; n--) length = length * 256 + (der[from++] ?? 0);
  }
  if (from + length > der.length) throw new RangeError('the data ends within an element');
  return { tag, from, to: from + length };
}

/** An element's content: of an object identifier it is its name. */
export const hexOfElement = (der: Uint8Array, e: Element): string => hexOf(der.subarray(e.from, e.to));
