import { readSettings } from './settings.ts';

// Says whether an agent would take these settings: one line of what is wrong, exit code 1.
const path = process.argv[2];
if (path === undefined) {
  console.error('usage: check SETTINGS.json');
  process.exit(2);
}
try {
  readSettings(path);
} catch (e) {
  console.error(`coracle: ${e instanceof Error ? e.message.split('\n')[0] : e}`);
  process.exit(1);
}
