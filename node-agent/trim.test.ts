import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { trimLog } from './trim.ts';

test('a log that has grown too long begins anew, others stay', () => {
  const dir = mkdtempSync(join(tmpdir(), 'coracle-'));
  const path = join(dir, 'agent.log');
  const fd = openSync(path, 'a');
  try {
    writeSync(fd, 'short\n');
    trimLog(fd);
    assert.equal(readFileSync(path, 'utf8'), 'short\n');
    writeSync(fd, Buffer.alloc(11 * 1024 * 1024, 'x'));
    trimLog(fd);
    writeSync(fd, 'next\n');
    assert.equal(readFileSync(path, 'utf8'), 'next\n');
  } finally {
    closeSync(fd);
    rmSync(dir, { recursive: true });
  }
});
