import { children, type Element, element, hexOfElement, SEQUENCE } from '../../kube/codec/der.ts';

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
      if (type && value && hexOfElement(der, type) === ORGANIZATION)
        names.push(utf8.decode(der.subarray(value.from, value.to)));
    }
  }
  return names;
}
