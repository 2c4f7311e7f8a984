import { forbidden, index, invalid, required } from '../../meta/issues.ts';
import type { JsonObject } from '../../meta/json.ts';
import { dns1123Subdomain, validateLabelSelector } from '../../meta/names.ts';
import type { Issue } from '../../meta/status.ts';
import { has, num, obj, objs, str } from '../access.ts';
import { id, mode, need, nonReserved, oneOf } from './checks.ts';
import { fieldRef, resourceFieldRef, VOLUME_FIELDS } from './env.ts';
import { signerName } from './signer.ts';

/** defaultMode and items of a volume made of keys. */
export const items = (path: string, v: JsonObject): Issue[] => [
  ...mode(`${path}.defaultMode`, v.defaultMode),
  ...objs(v.items).flatMap((kp, i) => keyToPath(index(`${path}.items`, i), kp)),
];
const keyToPath = (path: string, kp: JsonObject): Issue[] => [
  ...need(`${path}.key`, kp.key),
  ...need(`${path}.path`, kp.path),
  ...nonReserved(`${path}.path`, str(kp.path)),
  ...mode(`${path}.mode`, kp.mode),
  ...id(`${path}.user`, kp.user),
];

/** Files of the pod's own fields. */
export function downwardAPI(path: string, v: JsonObject): Issue[] {
  return [...mode(`${path}.defaultMode`, v.defaultMode), ...objs(v.items).flatMap((f) => downwardFile(path, f))];
}
function downwardFile(path: string, f: JsonObject): Issue[] {
  const issues = [...need(`${path}.path`, f.path), ...nonReserved(`${path}.path`, str(f.path))];
  if (has(f.fieldRef)) {
    issues.push(...fieldRef(`${path}.fieldRef`, obj(f.fieldRef), VOLUME_FIELDS));
    if (has(f.resourceFieldRef)) {
      issues.push(invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
    }
  } else if (has(f.resourceFieldRef)) {
    issues.push(...resourceFieldRef(`${path}.resourceFieldRef`, obj(f.resourceFieldRef), true));
  } else issues.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  return [...issues, ...mode(`${path}.mode`, f.mode)];
}

/** Files of several sources under one directory, no two at one path. */
export function projected(path: string, v: JsonObject): Issue[] {
  const issues = mode(`${path}.defaultMode`, v.defaultMode);
  const paths = new Set<string>();
  const claim = (p: string, shown: string) => {
    if (paths.has(p)) issues.push(invalid(path, shown, 'conflicting duplicate paths'));
    paths.add(p);
  };
  for (const [i, s] of objs(v.sources).entries()) {
    const at = index(`${path}.sources`, i);
    let count = 0;
    for (const member of ['secret', 'configMap']) {
      const source = obj(s[member]);
      if (!has(s[member])) continue;
      count++;
      issues.push(...need(`${at}.${member}.name`, source.name));
      for (const [j, kp] of objs(source.items).entries()) {
        issues.push(...keyToPath(index(`${at}.${member}.items`, j), kp));
        if (str(kp.path) !== '') claim(str(kp.path), str(source.name));
      }
    }
    if (has(s.downwardAPI)) {
      count++;
      for (const f of objs(obj(s.downwardAPI).items)) {
        issues.push(...downwardFile(`${at}.downwardAPI`, f));
        if (str(f.path) !== '') claim(str(f.path), str(f.path));
      }
    }
    if (has(s.serviceAccountToken)) {
      count++;
      issues.push(...tokenProjection(path, `${at}.serviceAccountToken`, obj(s.serviceAccountToken)));
    }
    if (has(s.clusterTrustBundle)) {
      count++;
      const b = obj(s.clusterTrustBundle);
      issues.push(...trustBundle(`${at}.clusterTrustBundle`, b));
      claim(str(b.path), str(b.path));
    }
    if (has(s.podCertificate)) {
      count++;
      issues.push(...podCertificate(`${at}.podCertificate`, obj(s.podCertificate), claim));
    }
    if (count > 1) issues.push(forbidden(at, 'may not specify more than 1 volume type per source'));
  }
  return issues;
}
const MIN_TOKEN_SECONDS = 600;
function tokenProjection(outer: string, path: string, t: JsonObject): Issue[] {
  const issues: Issue[] = [];
  const seconds = num(t.expirationSeconds);
  if (!has(t.expirationSeconds)) issues.push(required(`${path}.expirationSeconds`));
  else if (seconds < MIN_TOKEN_SECONDS) {
    issues.push(invalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'));
  } else if (seconds > 2 ** 32) {
    issues.push(invalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds'));
  }
  if (str(t.path) === '') issues.push(required(`${outer}.path`));
  else issues.push(...nonReserved(`${outer}.path`, str(t.path)));
  return issues;
}
function trustBundle(path: string, b: JsonObject): Issue[] {
  const issues: Issue[] = [];
  if (has(b.name) && has(b.signerName)) issues.push(invalid(path, b, 'only one of name and signerName may be used'));
  else if (has(b.name)) {
    if (str(b.name) === '') issues.push(required(`${path}.name`, 'must be a valid object name'));
    for (const p of dns1123Subdomain(str(b.name).split(':').pop() ?? '')) {
      issues.push(invalid(`${path}.name`, str(b.name), `not a valid clustertrustbundlename: ${p}`));
    }
    if (has(b.labelSelector)) {
      issues.push(
        invalid(`${path}.labelSelector`, b.labelSelector, 'labelSelector must be unset if name is specified'),
      );
    }
  } else if (has(b.signerName)) {
    if (str(b.signerName) === '') issues.push(required(`${path}.signerName`, 'must be a valid signer name'));
    issues.push(
      ...signerName(`${path}.signerName`, str(b.signerName)),
      ...(has(b.labelSelector) ? validateLabelSelector(`${path}.labelSelector`, obj(b.labelSelector)) : []),
    );
  } else issues.push(required(path, 'either name or signerName must be specified'));
  return [...issues, ...need(`${path}.path`, b.path), ...nonReserved(`${path}.path`, str(b.path))];
}
const KEY_TYPES = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];
const MAX_CERTIFICATE_SECONDS = 91 * 24 * 3600;
const MAX_KUBERNETES_CERTIFICATE_SECONDS = 24 * 3600;
function podCertificate(path: string, c: JsonObject, claim: (p: string, shown: string) => void): Issue[] {
  const issues = [
    ...signerName(`${path}.signerName`, str(c.signerName)),
    ...oneOf(`${path}.keyType`, c.keyType, KEY_TYPES, null),
  ];
  if (has(c.maxExpirationSeconds)) {
    const at = `${path}.maxExpirationSeconds`;
    const seconds = num(c.maxExpirationSeconds);
    const max = str(c.signerName).startsWith('kubernetes.io/')
      ? MAX_KUBERNETES_CERTIFICATE_SECONDS
      : MAX_CERTIFICATE_SECONDS;
    if (seconds < 3600) issues.push(invalid(at, seconds, 'if provided, maxExpirationSeconds must be >= 3600'));
    if (seconds > max) issues.push(invalid(at, seconds, `if provided, maxExpirationSeconds must be <= ${max}`));
  }
  const given = ['credentialBundlePath', 'keyPath', 'certificateChainPath'].filter((m) => str(c[m]) !== '');
  for (const m of given) {
    issues.push(...nonReserved(`${path}.${m}`, str(c[m])));
    claim(str(c[m]), str(c[m]));
  }
  if (given.length === 0) {
    issues.push(required(path, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'));
  }
  return issues;
}
