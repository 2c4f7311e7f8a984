import { existsSync, readFileSync } from 'node:fs';

/** The end of a log; '' where there is no such file. */
export const lastLines = (path: string, lines: number): string =>
  existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '';
