/** One test's outcome, as run.sh writes it into results.tsv. */
export interface Result {
  name: string;
  state: 'passed' | 'failed' | 'skipped';
  seconds: number;
  /** The first line of the failure. */
  why: string;
}

/** What a run says of the list of tests that pass. */
export interface Verdict {
  passed: Result[];
  failed: Result[];
  /** On the list and yet not passed: what makes the run fail. */
  lost: Result[];
  /** Passed, not on the list yet. */
  gained: Result[];
}

/** Lines of a list of test names; '#' begins a comment line. */
export const names = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/** results.tsv: name, state, seconds, first line of the failure. */
export function parseResults(text: string): Result[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', state = 'failed', seconds = '0', why = ''] = line.split('\t');
      return { name, state: state as Result['state'], seconds: Number(seconds), why };
    });
}

/** `chosen` are the tests that were to run: one without a result counts as failed. A skipped one that is listed is lost too. */
export function judge(chosen: readonly string[], results: readonly Result[], passing: ReadonlySet<string>): Verdict {
  const by = new Map(results.map((r) => [r.name, r]));
  const all = chosen.map((name) => by.get(name) ?? { name, state: 'failed' as const, seconds: 0, why: 'did not run' });
  const passed = all.filter((r) => r.state === 'passed');
  return {
    passed,
    failed: all.filter((r) => r.state === 'failed'),
    lost: all.filter((r) => r.state !== 'passed' && passing.has(r.name)),
    gained: passed.filter((r) => !passing.has(r.name)),
  };
}

/** The names of `all` in the groups (`sig-node`), by `focus`, and without those of `skip`. */
export function choose(
  all: readonly string[],
  o: { groups?: readonly string[] | undefined; focus?: string | undefined; skip?: string | undefined },
): string[] {
  const focus = o.focus === undefined ? undefined : new RegExp(o.focus);
  const skip = o.skip === undefined ? undefined : new RegExp(o.skip);
  return all.filter(
    (name) =>
      (o.groups === undefined || o.groups.includes(/^\[([\w-]+)\]/.exec(name)?.[1] ?? '')) &&
      (focus === undefined || focus.test(name)) &&
      !skip?.test(name),
  );
}

/** What a list's history (`git log -p --unified=0` of its file) has added at some time, and the list of today hasn't. */
export function shrunk(history: string, today: readonly string[]): string[] {
  const added = history.split('\n').filter((line) => line.startsWith('+') && !line.startsWith('+++'));
  const ever = new Set(names(added.map((line) => line.slice(1)).join('\n')));
  return [...ever].filter((name) => !today.includes(name));
}
