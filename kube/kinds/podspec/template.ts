import { forbidden } from '../../meta/issues.ts';
import type { Json } from '../../meta/json.ts';
import { validateLabels } from '../../meta/names.ts';
import type { Issue } from '../../meta/status.ts';
import { list, obj, texts } from '../access.ts';
import { validateAnnotations } from '../objectmeta.ts';
import { validatePodAnnotations, validateProfilesMatch } from './annotations.ts';
import { validatePodSpec } from './spec.ts';

/** A PodTemplateSpec: ValidatePodTemplateSpec. */
export function validateTemplate(path: string, v: Json | undefined): Issue[] {
  const template = obj(v);
  const meta = obj(template.metadata);
  const annotations = texts(meta.annotations);
  const spec = obj(template.spec);
  const issues = [
    ...validateLabels(`${path}.labels`, texts(meta.labels)),
    ...validateAnnotations(`${path}.annotations`, annotations),
    ...validatePodAnnotations(`${path}.annotations`, annotations, spec),
    ...validatePodSpec(`${path}.spec`, spec, '', false),
    ...validateProfilesMatch(`${path}.spec`, annotations, spec),
  ];
  if (list(spec.ephemeralContainers).length > 0) {
    issues.push(forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'));
  }
  return issues;
}
