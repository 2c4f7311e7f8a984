import { CommandError } from './command.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of a duration as `90s`, `2h`, `1h30m`, `7d`; throws CommandError for anything else and for none. */
export function secondsOf(text: string): number {
  if (!/^(\d+[smhd])+$/.test(text))
    throw new CommandError(`${JSON.stringify(text)} is no duration; 30m, 2h, 1h30m, 7d are`, 2);
  let seconds = 0;
  for (const [, n, unit = ''] of text.matchAll(/(\d+)([smhd])/g)) seconds += Number(n) * (SECONDS[unit] ?? 0);
  if (seconds === 0) throw new CommandError('a cluster lives for a second at least', 2);
  return seconds;
}
