import { accessSync, constants } from 'node:fs';
import { readSettings } from './settings.ts';

// Says whether an agent would take these settings: one line of what is wrong, exit code 1.
const path = process.argv[2];
if (path === undefined) {
  console.error('usage: check SETTINGS.json');
  process.exit(2);
}
function readable(host: string, file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch {
    throw new Error(`registries: ${host}: ${file} can't be read`);
  }
}

try {
  const { registries } = readSettings(path);
  for (const [host, c] of Object.entries(registries?.configs ?? {}))
    for (const file of [c?.tls?.ca_file, c?.tls?.cert_file, c?.tls?.key_file])
      if (file !== undefined) readable(host, file);
} catch (e) {
  const why = e instanceof Error ? e.message : String(e);
  console.error(
    `coracle: ${why
      .replace(/\s*\n\s*→ at ([^\n]+)/g, ' (at $1)')
      .replaceAll('\n', '; ')
      .replaceAll('× ', '')}`,
  );
  process.exit(1);
}
