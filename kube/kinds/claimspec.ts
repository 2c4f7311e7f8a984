import { forbidden, invalid, notSupported, required } from '../meta/issues.ts';
import { equalJson, type Json, type JsonObject } from '../meta/json.ts';
import { dns1123Label, dns1123Subdomain, validateLabelSelector, validateLabels } from '../meta/names.ts';
import { compareQuantities, quantity, ZERO } from '../meta/quantity.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, obj, str, texts } from './access.ts';
import { validateAnnotations } from './objectmeta.ts';
import { each, oneOf } from './podspec/checks.ts';

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const VOLUME_MODES = ['Block', 'Filesystem'];

/** Access modes: at least one, each known, ReadWriteOncePod alone. */
export function validateAccessModes(path: string, modes: readonly Json[], missing: string): Issue[] {
  if (modes.length === 0) return [required(path, missing)];
  const issues = modes.flatMap((m) =>
    ACCESS_MODES.includes(str(m)) ? [] : [notSupported(path, str(m), ACCESS_MODES)],
  );
  if (modes.includes('ReadWriteOncePod') && modes.length > 1) {
    issues.push(forbidden(path, 'may not use ReadWriteOncePod with other access modes'));
  }
  return issues;
}
/** A quantity greater than zero. */
export function positiveQuantity(path: string, v: Json | undefined): Issue[] {
  const q = quantity(v);
  return compareQuantities(q, ZERO) > 0 ? [] : [invalid(path, q.text, 'must be greater than zero')];
}

/** The spec of a PersistentVolumeClaim, also in templates: ValidatePersistentVolumeClaimSpec. */
export function validateClaimSpec(path: string, spec: JsonObject): Issue[] {
  const issues = validateAccessModes(
    `${path}.accessModes`,
    list(spec.accessModes),
    'at least 1 access mode is required',
  );
  if (has(spec.selector)) issues.push(...validateLabelSelector(`${path}.selector`, obj(spec.selector)));
  const requests = obj(obj(spec.resources).requests);
  if (!has(requests.storage)) issues.push(required(`${path}.resources[storage]`));
  else {
    issues.push(...positiveQuantity(`${path}.resources[storage]`, requests.storage));
  }
  const className = str(spec.storageClassName);
  if (className !== '') {
    for (const p of dns1123Subdomain(className)) issues.push(invalid(`${path}.storageClassName`, className, p));
  }
  if (has(spec.volumeMode)) issues.push(...oneOf(`${path}.volumeMode`, spec.volumeMode, VOLUME_MODES, null));
  if (has(spec.dataSource)) issues.push(...dataSource(`${path}.dataSource`, obj(spec.dataSource)));
  if (has(spec.dataSourceRef)) {
    const ref = obj(spec.dataSourceRef);
    issues.push(...dataSource(`${path}.dataSourceRef`, ref));
    const namespace = str(ref.namespace);
    if (namespace !== '') {
      issues.push(...each(`${path}.dataSourceRef.namespace`, namespace, dns1123Label(namespace)));
      if (has(spec.dataSource)) {
        issues.push(invalid(path, 'spec.dataSource', 'may not be specified when dataSourceRef.namespace is specified'));
      }
    }
    if (namespace === '' && has(spec.dataSource) && !sameSource(obj(spec.dataSource), ref)) {
      issues.push(invalid(path, path, 'must match dataSourceRef'));
    }
  }
  const attributes = str(spec.volumeAttributesClassName);
  if (attributes !== '') {
    issues.push(...each(`${path}.volumeAttributesClassName`, attributes, dns1123Subdomain(attributes)));
  }
  return issues;
}
const sameSource = (a: JsonObject, b: JsonObject) =>
  equalJson(a.apiGroup ?? '', b.apiGroup ?? '') && a.kind === b.kind && a.name === b.name;
function dataSource(path: string, s: JsonObject): Issue[] {
  const issues: Issue[] = [];
  if (str(s.name) === '') issues.push(required(`${path}.name`));
  if (str(s.kind) === '') issues.push(required(`${path}.kind`));
  const group = str(s.apiGroup);
  if (group === '' && s.kind !== 'PersistentVolumeClaim') {
    issues.push(invalid(path, s.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  }
  if (group !== '') issues.push(...each(`${path}.apiGroup`, group, dns1123Subdomain(group)));
  return issues;
}

/** volumeClaimTemplate of an ephemeral volume: only labels and annotations beside the spec. */
export function validateClaimTemplate(path: string, t: JsonObject): Issue[] {
  const m = obj(t.metadata);
  const issues = [
    ...validateAnnotations(`${path}.metadata.annotations`, texts(m.annotations)),
    ...validateLabels(`${path}.metadata.labels`, texts(m.labels)),
  ];
  for (const member in m) {
    if (member !== 'labels' && member !== 'annotations' && has(m[member])) {
      issues.push(forbidden(`${path}.metadata.${member}`, 'cannot be set'));
    }
  }
  return [...issues, ...validateClaimSpec(`${path}.spec`, obj(t.spec))];
}
