// Reads the declarative tags of a field or type: `+k8s:minimum=0`, `+k8s:beta(since: "1.37")=+k8s:maxItems=8`, `+listType=map`.

/** What the tags say, merged; alpha rules are shadow-only upstream and left out. */
export interface Rules {
  required?: boolean;
  optional?: boolean;
  forbidden?: boolean;
  immutable?: boolean;
  update: string[];
  limits: Record<string, number | string>;
  /** Rules for each value and each key of a list or map. */
  eachValue: Record<string, number | string>;
  eachKey: Record<string, number | string>;
  /** `subfield(name)=format`: rules for a field of the field's struct. */
  subfields: Record<string, Record<string, number | string>>;
  /** `atomic`, `set`, `map`, with keys, from the `+k8s:` family, whose uniqueness is enforced. */
  unique?: 'set' | 'map';
  enum?: boolean;
  unionMember?: { union: string; name?: string };
  unionDiscriminator?: string;
  zeroOrOneOfMember?: string;
  modeDiscriminator?: boolean;
  /** `ifMode("Queue")=required`: by the discriminator's value. */
  modes: { required: string[]; optional: string[] };
  /** A gate of the field (`+featureGate`) is off by default. */
  disabled?: boolean;
  /** Plain tags of OpenAPI and server-side apply. */
  listType?: string;
  listMapKeys: string[];
  mapType?: string;
  structType?: string;
  documentedEnum?: boolean;
  documentedOptional?: boolean;
  documentedRequired?: boolean;
  default?: string;
  /** Tags of the `+k8s:` family that nothing above covers. */
  unknown: string[];
}

const NO_RULE =
  /^(?:prerelease|deepcopy|conversion|openapi|protobuf|supportsSubresource|isSubresource|opaqueType|deprecated|validation|customValidation|customUnique|defaulter|item)/;

/** Merges the tags of one declaration. `enabled` tells whether a feature gate is on by default. */
export function readTags(tags: readonly string[], enabled: (feature: string) => boolean | undefined): Rules {
  const rules: Rules = {
    update: [],
    limits: {},
    eachValue: {},
    eachKey: {},
    subfields: {},
    listMapKeys: [],
    modes: { required: [], optional: [] },
    unknown: [],
  };
  for (const tag of tags) {
    if (tag.startsWith('+k8s:')) readRule(tag.slice(5), rules, enabled);
    else if (tag.startsWith('+featureGate=')) rules.disabled ||= enabled(tag.slice(13).trim()) === false;
    else readPlain(tag.slice(1), rules);
  }
  return rules;
}

function readPlain(tag: string, rules: Rules): void {
  const [name = '', value = ''] = splitOnce(tag, '=');
  switch (name.trim()) {
    case 'listType':
      rules.listType = value.trim();
      break;
    case 'listMapKey':
      rules.listMapKeys.push(value.trim());
      break;
    case 'mapType':
      rules.mapType = value.trim();
      break;
    case 'structType':
      rules.structType = value.trim();
      break;
    case 'default':
      rules.default = value.trim();
      break;
    case 'enum':
      rules.documentedEnum = true;
      break;
    default:
      if (/^optional\b/.test(tag)) rules.documentedOptional = true;
      if (/^required\b/.test(tag)) rules.documentedRequired = true;
  }
}

function readRule(tag: string, rules: Rules, enabled: (feature: string) => boolean | undefined): void {
  const stage = /^(alpha|beta)\([^)]*\)=\+k8s:(.*)$/.exec(tag);
  if (stage) {
    if (stage[1] === 'beta') readRule(stage[2] ?? '', rules, enabled);
    return;
  }
  const gate = /^if(Enabled|Disabled)\("?(\w+)"?\)=\+k8s:(.*)$/.exec(tag);
  if (gate) {
    if ((enabled(gate[2] ?? '') ?? false) === (gate[1] === 'Enabled')) readRule(gate[3] ?? '', rules, enabled);
    return;
  }
  const mode = /^ifMode\("(\w+)"\)=\+k8s:(required|optional)$/.exec(tag);
  if (mode) {
    rules.modes[mode[2] as 'required' | 'optional'].push(mode[1] ?? '');
    return;
  }
  const each = /^each(Val|Key)=\+k8s:(.*)$/.exec(tag);
  if (each) {
    readLimit(each[2] ?? '', each[1] === 'Val' ? rules.eachValue : rules.eachKey) || rules.unknown.push(tag);
    return;
  }
  const sub = /^subfield\((\w+)\)=\+k8s:(.*)$/.exec(tag);
  if (sub) {
    const of = sub[1] ?? '';
    rules.subfields[of] ??= {};
    readLimit(sub[2] ?? '', rules.subfields[of]) || rules.unknown.push(tag);
    return;
  }
  if (readLimit(tag, rules.limits) || readPresence(tag, rules) || readUnion(tag, rules)) return;
  if (!NO_RULE.test(tag)) rules.unknown.push(tag);
}

function readLimit(tag: string, limits: Record<string, number | string>): boolean {
  const m =
    /^(minimum|maximum|minItems|maxItems|minLength|maxLength|maxBytes|minProperties|maxProperties)=(-?\d+)/.exec(tag);
  if (m) {
    limits[m[1] ?? ''] = Number(m[2]);
    return true;
  }
  const format = /^format="?([\w-]+)"?/.exec(tag);
  if (format) limits.format = format[1] ?? '';
  return format !== null;
}

function readPresence(tag: string, rules: Rules): boolean {
  if (/^required\b/.test(tag)) rules.required = true;
  else if (/^optional\b/.test(tag)) rules.optional = true;
  else if (/^forbidden\b/.test(tag)) rules.forbidden = true;
  else if (/^immutable\b/.test(tag)) rules.immutable = true;
  else if (/^enum\b/.test(tag)) rules.enum = true;
  else if (/^update=/.test(tag)) rules.update.push(tag.slice(7).trim());
  else if (/^unique=/.test(tag)) rules.unique = tag.slice(7).trim() as 'set' | 'map';
  else if (/^listType=/.test(tag)) {
    const kind = tag.slice(9).trim();
    if (kind === 'set' || kind === 'map') rules.unique = kind;
    rules.listType ??= kind;
  } else if (/^listMapKey=/.test(tag)) {
    const key = tag.slice(11).trim();
    if (!rules.listMapKeys.includes(key)) rules.listMapKeys.push(key);
  } else return false;
  return true;
}

function readUnion(tag: string, rules: Rules): boolean {
  const m = /^(unionMember|unionDiscriminator|zeroOrOneOfMember|modeDiscriminator)(?:\((.*)\))?$/.exec(tag);
  if (!m) return false;
  const union = /union:\s*"([^"]*)"/.exec(m[2] ?? '')?.[1] ?? '';
  const name = /memberName:\s*"([^"]*)"/.exec(m[2] ?? '')?.[1];
  if (m[1] === 'unionMember') rules.unionMember = { union, ...(name ? { name } : {}) };
  else if (m[1] === 'unionDiscriminator') rules.unionDiscriminator = union;
  else if (m[1] === 'zeroOrOneOfMember') rules.zeroOrOneOfMember = union;
  else rules.modeDiscriminator = true;
  return true;
}

function splitOnce(s: string, at: string): [string, string] {
  const i = s.indexOf(at);
  return i < 0 ? [s, ''] : [s.slice(0, i), s.slice(i + at.length)];
}
