import { children, element, hexOfElement, SEQUENCE } from '../codec/der.ts';
import { invalid } from '../meta/issues.ts';
import { byteLength, nameIsDnsSubdomain, nameIsPathSegment } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { obj, str } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { immutable } from './objectmeta.ts';
import { signerName } from './podspec/signer.ts';

/** certificates/v1 MaxTrustBundleSize. */
const MAX_BUNDLE_BYTES = 1024 * 1024;
/** id-ce-basicConstraints, 2.5.29.19. */
const BASIC_CONSTRAINTS = '551d13';
/** [3] EXPLICIT extensions of a TBSCertificate (RFC 5280, 4.1). */
const EXTENSIONS = 0xa3;
const BOOLEAN = 0x01;
const PEM = /-----BEGIN ([^\n-]*)-----\r?\n([\s\S]*?)-----END \1-----/g;
const PATH = 'spec.trustBundle';

export const CLUSTERTRUSTBUNDLE: Behaviour = {
  needsVersion: true,
  // What else is wrong with it depends on the signer.
  name: nameIsPathSegment,
  validate(next, prev) {
    const spec = obj(next.spec);
    const signer = str(spec.signerName);
    const before = obj(prev?.spec);
    return [
      ...named(next, signer),
      ...(signer === '' ? [] : signerName('spec.signerName', signer)),
      ...(prev && str(before.trustBundle) === str(spec.trustBundle) ? [] : anchors(str(spec.trustBundle))),
      ...(prev ? immutable('spec.signerName', spec.signerName, before.signerName) : []),
    ];
  },
  fields: { 'spec.signerName': (o) => str(obj(o.spec).signerName) },
};

/** `example.com/signer` has bundles `example.com:signer:*`; those without a signer have names as everything else. */
function named(o: KubeObject, signer: string): Issue[] {
  const name = str(o.metadata.name);
  const issue = (text: string) => invalid('metadata.name', name, text);
  if (signer === '')
    return name.includes(':')
      ? [issue('ClusterTrustBundle without signer name must not have ":" in its name')]
      : nameIsDnsSubdomain(name, false).map(issue);
  const prefix = `${signer.replaceAll('/', ':')}:`;
  if (!name.startsWith(prefix))
    return [issue(`ClusterTrustBundle for signerName ${signer} must be named with prefix ${prefix}`)];
  return nameIsDnsSubdomain(name.slice(prefix.length), false).map(issue);
}

/** PEM of CA certificates, each once. */
function anchors(text: string): Issue[] {
  if (byteLength(text) > MAX_BUNDLE_BYTES)
    return [
      { type: 'FieldValueTooLong', field: PATH, message: `Too long: may not be more than ${MAX_BUNDLE_BYTES} bytes` },
    ];
  const wrong = (what: string) => invalid(PATH, '<value omitted>', what);
  const issues: Issue[] = [];
  const seen = new Map<string, number[]>();
  let i = -1;
  for (const [, type = '', body = ''] of text.matchAll(PEM)) {
    i++;
    const headers = body.includes(':');
    if (type !== 'CERTIFICATE') issues.push(wrong(`entry ${i} has bad block type: ${type}`));
    else if (headers) issues.push(wrong(`entry ${i} has PEM block headers`));
    else {
      const base64 = body.replace(/\s+/g, '');
      const ca = isCa(base64);
      if (ca === undefined) issues.push(wrong(`entry ${i} does not parse as X.509`));
      else if (!ca) issues.push(wrong(`entry ${i} does not have the CA bit set`));
      else seen.set(base64, [...(seen.get(base64) ?? []), i]);
    }
  }
  if (issues.length > 0) return issues;
  if (seen.size === 0) issues.push(wrong('at least one trust anchor must be provided'));
  for (const at of seen.values())
    if (at.length > 1) issues.push(wrong(`duplicate trust anchor (indices [${at.join(' ')}])`));
  return issues;
}

/** The CA bit of a certificate's basic constraints; undefined when it is no certificate. */
function isCa(base64: string): boolean | undefined {
  try {
    const der = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const whole = element(der, 0);
    const [tbs, algorithm, signature] = children(der, whole);
    if (whole.tag !== SEQUENCE || whole.to !== der.length || !tbs || !algorithm || !signature) return undefined;
    const [list] = children(der, tbs).filter((e) => e.tag === EXTENSIONS);
    const [extensions] = list ? children(der, list) : [];
    for (const extension of extensions ? children(der, extensions) : []) {
      const parts = children(der, extension);
      const [id] = parts;
      const value = parts.at(-1);
      if (!id || !value || hexOfElement(der, id) !== BASIC_CONSTRAINTS) continue;
      const [bit] = children(der, element(der, value.from));
      return bit?.tag === BOOLEAN && der[bit.from] !== 0;
    }
    return false;
  } catch {
    return undefined; // neither base64 nor DER
  }
}
