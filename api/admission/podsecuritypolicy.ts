import { invalid } from '../../kube/meta/issues.ts';
import type { Issue } from '../../kube/meta/status.ts';

/** Pod Security Standards, from the freest to the strictest. */
export const LEVELS = ['privileged', 'baseline', 'restricted'] as const;
export type Level = (typeof LEVELS)[number];
export interface LevelVersion {
  level: Level;
  /** Minor of 1.x; Infinity for latest. */
  minor: number;
}
export interface Policy {
  enforce: LevelVersion;
  audit: LevelVersion;
  warn: LevelVersion;
  /** Labels that can't be read. */
  issues: Issue[];
}

/** Of a namespace's labels, and of what is told of a decision. */
export const POD_SECURITY = 'pod-security.kubernetes.io/';
const VERSION = /^v1\.([0-9]|[1-9][0-9]*)$/;

/** `restricted:v1.30`, `baseline:latest`. */
export const print = (l: LevelVersion): string =>
  `${l.level}:${l.minor === Number.POSITIVE_INFINITY ? 'latest' : `v1.${l.minor}`}`;

/** The policy that a namespace's labels ask for; privileged:latest for what they don't say. */
export function policyOfLabels(labels: Readonly<Record<string, string>>): Policy {
  const issues: Issue[] = [];
  const read = (mode: string, broken: Level): LevelVersion & { asked: boolean; valid: boolean; versioned: boolean } => {
    const [text, version] = [labels[POD_SECURITY + mode], labels[`${POD_SECURITY}${mode}-version`]];
    const known = LEVELS.find((l) => l === text);
    const problem = (label: string, value: string, why: string) =>
      issues.push(invalid(`metadata.labels[${POD_SECURITY}${label}]`, value, why));
    if (text !== undefined && known === undefined) problem(mode, text, `must be one of ${LEVELS.join(', ')}`);
    const minor = version === undefined || version === 'latest' ? Number.POSITIVE_INFINITY : VERSION.exec(version)?.[1];
    if (minor === undefined) problem(`${mode}-version`, version ?? '', 'must be "latest" or "v1.x"');
    return {
      level: text === undefined ? 'privileged' : (known ?? broken),
      minor: Number(minor ?? Number.POSITIVE_INFINITY),
      asked: text !== undefined,
      valid: known !== undefined,
      versioned: version !== undefined,
    };
  };
  // A level that can't be read is the strictest for enforce, none for audit and warn.
  const enforce = read('enforce', 'restricted');
  const audit = read('audit', 'privileged');
  const warn = read('warn', 'privileged');
  if (!warn.asked && enforce.valid && compareLevels(enforce.level, warn.level) > 0) {
    warn.level = enforce.level;
    if (!warn.versioned) warn.minor = enforce.minor;
  }
  const bare = ({ level, minor }: LevelVersion): LevelVersion => ({ level, minor });
  return { enforce: bare(enforce), audit: bare(audit), warn: bare(warn), issues };
}

/** Positive when a is stricter than b. */
export const compareLevels = (a: Level, b: Level): number => LEVELS.indexOf(a) - LEVELS.indexOf(b);
