import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { normalise } from './normalise.ts';
import type { Played } from './play.ts';
import type { Section, Step } from './steps.ts';

const KEPT = join(import.meta.dirname, 'kept');
const HEAD = '=== ';
const TEXTS = /^texts [0-9a-f]+\n/m;

/** What is kept of a step: its command line, exit code and outputs, as text. */
export function kept(step: Step, p: Played): string {
  const has = step.has === undefined ? '' : `has ${step.has.source}: ${step.has.test(p.out + p.err)}\n`;
  const texts = step.explains ? `texts ${hashOf(p.out)}\n` : '';
  const head = `${HEAD}${step.run}\nexit ${p.code}\n${has}${texts}`;
  if (step.keep === 'code') return head;
  const out = step.explains ? withoutTexts(p.out) : p.out;
  return (
    head +
    titled('', shown(step, normalise(out, p.facts))) +
    titled('--- stderr\n', shown(step, normalise(p.err, p.facts)))
  );
}

const titled = (title: string, text: string): string => (text === '' ? '' : `${title}${text}\n`);

function shown(step: Step, text: string): string {
  const lines = text.replace(/\n+$/, '').split('\n');
  if (step.keep === 'last') return lines.at(-1) ?? '';
  if (step.keep === 'sorted') return lines.sort().join('\n');
  return eventsSorted(lines).join('\n');
}

/** Events of the same second come in any order. */
function eventsSorted(lines: readonly string[]): string[] {
  const head = lines.findIndex((l) => /^ *---- {2}------ {2}---- {2}---- {2}-------$/.test(l)) + 1;
  if (head === 0) return [...lines];
  const found = lines.findIndex((l, i) => i >= head && !l.startsWith(' '));
  const end = found === -1 ? lines.length : found;
  return [...lines.slice(0, head), ...lines.slice(head, end).sort(), ...eventsSorted(lines.slice(end))];
}

/** kubectl explain's output without descriptions, which are upstream's and therefore kept as a hash only. */
function withoutTexts(out: string): string {
  let inEnum = false;
  return out
    .split('\n')
    .filter((l) => {
      if (/^\S/.test(l)) inEnum = l === 'ENUM:';
      return /^[A-Z]+:/.test(l) || /^ *\S+\t<.*>/.test(l) || /^ *enum: /.test(l) || (inEnum && l.startsWith(' '));
    })
    .join('\n');
}
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

const fileOf = (minor: string, section: Section) => join(KEPT, minor, `${section.name}.txt`);

/** Keeps a section's answers for a version of kubectl. */
export function keep(minor: string, section: Section, answers: readonly string[]): void {
  writeFileSync(fileOf(minor, section), answers.join('\n'));
}

/** What the real cluster answered, step by step. */
function readKept(minor: string, section: Section): string[] {
  return readFileSync(fileOf(minor, section), 'utf8')
    .split(/\n(?==== )/)
    .map((answer) => answer.replace(/\n*$/, '\n'));
}

/** Whether a section or a step is played with a minor of kubectl on our server. */
export const isPlayed = (o: Section | Step, minor: string): boolean =>
  o.later === undefined && (o.since === undefined || Number(minor.slice(2)) >= Number(o.since.slice(2)));

/** Where answers are others than those of the real cluster, each as a text for people. `texts`: this server has those of `coracle explain-text`. */
export function differences(minor: string, section: Section, answers: readonly string[], texts: boolean): string[] {
  const all = readKept(minor, section);
  if (all.length !== section.steps.length)
    return [`${all.length} kept answers for ${section.steps.length} steps: record again`];
  const played = section.steps.flatMap((step, i) => (isPlayed(step, minor) ? [all[i] ?? ''] : []));
  const compared = (answer: string) => (texts ? answer : answer.replace(TEXTS, '')).replace(/\n*$/, '\n');
  return played.flatMap((there, i) => {
    const here = answers[i] ?? '';
    return compared(there) === compared(here) ? [] : [told(compared(there), compared(here))];
  });
}

/** Both answers' lines that the other one doesn't have. */
function told(there: string, here: string): string {
  const [a, b] = [there.split('\n'), here.split('\n')];
  const only = (x: readonly string[], y: readonly string[], sign: string) => {
    const left = [...y];
    return x.flatMap((l) => {
      const at = left.indexOf(l);
      if (at === -1) return [`${sign} ${l}`];
      left.splice(at, 1);
      return [];
    });
  };
  return [a[0], ...only(a, b, '-'), ...only(b, a, '+')].join('\n');
}
