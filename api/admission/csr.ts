import { hexOf } from '../../kube/codec/hex.ts';

/** One element of DER: its tag and where its content is. */
interface Element {
  tag: number;
  from: number;
  to: number;
}
const SEQUENCE = 0x30;
/** id-at-organizationName, 2.5.4.10. */
const ORGANIZATION = '55040a';
const utf8 = new TextDecoder();

/** O of the subject of a PKCS #10 request, given as spec.request has it (base64 of PEM); null when it can't be read. */
export function organizationsOf(request: string): string[] | null {
  try {
    const pem = atob(request);
    const [, body] = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([\s\S]+?)-----END/.exec(pem) ?? [];
    if (body === undefined) return null;
    const der = Uint8Array.from(atob(body.replace(/\s+/g, '')), (c) => c.charCodeAt(0));
    // CertificationRequest > CertificationRequestInfo > version, subject.
    const info = children(der, element(der, 0))[0];
    const subject = info && children(der, info)[1];
    return subject?.tag === SEQUENCE ? namesIn(der, subject) : null;
  } catch {
    // Bytes that aren't DER: whoever asks refuses.
    return null;
  }
}

function namesIn(der: Uint8Array, subject: Element): string[] {
  const names: string[] = [];
  for (const set of children(der, subject)) {
    for (const pair of children(der, set)) {
      const [type, value] = children(der, pair);
      if (type && value && hex(der, type) === ORGANIZATION) names.push(utf8.decode(der.subarray(value.from, value.to)));
    }
  }
  return names;
}

function children(der: Uint8Array, parent: Element): Element[] {
  const list: Element[] = [];
  for (let at = parent.from; at < parent.to; ) {
    const e = element(der, at);
    list.push(e);
    at = e.to;
  }
  return list;
}

function element(der: Uint8Array, at: number): Element {
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

const hex = (der: Uint8Array, e: Element): string => hexOf(der.subarray(e.from, e.to));
