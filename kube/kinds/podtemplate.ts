import { make, obj } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { defaultTemplate, dropDisabled } from './podspec/defaults.ts';
import { validateTemplate } from './podspec/template.ts';
import { podWarnings } from './podspec/warnings.ts';

export const PODTEMPLATE: Behaviour = {
  counts: ['template'],
  default: (o) => defaultTemplate(make(o, 'template')),
  prepare: (next) => dropDisabled(obj(obj(next.template).spec)),
  validate: (next) => validateTemplate('template', next.template),
  warn: (next) => podWarnings('template', obj(obj(next.template).spec), obj(obj(next.template).metadata)),
};
