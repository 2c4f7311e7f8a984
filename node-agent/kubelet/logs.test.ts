import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { planRotation, rotateLog, rotationTime } from './logrotation.ts';
import { type LogOptions, readLog } from './logs.ts';

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'logs-'));
  path = join(dir, '0.log');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const NOW = Date.UTC(2026, 0, 1, 0, 1, 0);
const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000001Z`;
const line = (second: number, text: string, tag = 'F', stream = 'stdout') => `${at(second)} ${stream} ${tag} ${text}\n`;
async function read(o: LogOptions): Promise<string> {
  const parts: Buffer[] = [];
  for await (const b of readLog(path, o, () => false, NOW, new AbortController().signal)) parts.push(b);
  return Buffer.concat(parts).toString();
}

describe('a log', () => {
  const LOG = [
    line(1, 'one'),
    line(2, 'to', 'P'),
    line(3, 'gether', 'F'),
    line(4, 'err', 'F', 'stderr'),
    line(5, ''),
    line(6, 'last'),
  ].join('');
  const cases: [string, LogOptions, string][] = [
    ['is what was written, parts of long lines joined', {}, 'one\ntogether\nerr\n\nlast\n'],
    ['by its last lines', { tailLines: 2 }, '\nlast\n'],
    ['by no lines', { tailLines: 0 }, ''],
    ['by more lines than there are', { tailLines: 99 }, 'one\ntogether\nerr\n\nlast\n'],
    ['since a time', { sinceTime: '2026-01-01T00:00:04Z' }, 'err\n\nlast\n'],
    ['since so many seconds', { sinceSeconds: 55 }, '\nlast\n'],
    ['by bytes', { limitBytes: 6 }, 'one\nto'],
    [
      'with times, once for each line however it was cut',
      { timestamps: true },
      `${at(1)} one\n${at(2)} together\n${at(4)} err\n${at(5)} \n${at(6)} last\n`,
    ],
    ['of one stream', { stream: 'Stderr' }, 'err\n'],
  ];
  for (const [name, options, text] of cases)
    test(name, async () => {
      await writeFile(path, LOG);
      assert.equal(await read(options), text);
    });

  for (const follow of [false, true])
    test(`tells what comes after its tail was found ${follow ? 'when followed' : 'to nobody who does not follow'}`, async () => {
      await writeFile(path, LOG);
      // Asked between the search for the tail and the first read.
      let more = true;
      const running = () => {
        if (more) appendFileSync(path, line(7, 'late'));
        more = false;
        return more;
      };
      const parts: Buffer[] = [];
      for await (const b of readLog(path, { tailLines: 2, follow }, running, NOW, new AbortController().signal))
        parts.push(b);
      assert.equal(Buffer.concat(parts).toString(), follow ? '\nlast\nlate\n' : '\nlast\n');
    });

  test('is followed over rotations: what is written to the old file until the runtime goes over is not lost', async () => {
    await writeFile(path, line(1, 'a'));
    let running = true;
    const seen: string[] = [];
    const wanted = (n: number) => new Promise<void>((r) => (waiting = { n, r }));
    let waiting: { n: number; r: () => void } | undefined;
    const done = (async () => {
      for await (const b of readLog(path, { follow: true }, () => running, NOW, new AbortController().signal)) {
        seen.push(...b.toString().trim().split('\n'));
        if (waiting && seen.length >= waiting.n) waiting.r();
      }
    })();
    await wanted(1);
    await rename(path, `${path}.old`);
    await appendFile(`${path}.old`, line(2, 'b'));
    await wanted(2);
    await appendFile(`${path}.old`, line(3, 'c'));
    await writeFile(path, line(4, 'd'));
    await wanted(4);
    running = false;
    await done;
    assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
  });
});

describe('rotation', () => {
  const plans: [string, string[], string[], string[]][] = [
    ['the first rotation has nothing to do', [], [], []],
    ['the one before is compressed', ['l.1'], [], ['l.1']],
    ['three older ones stay', ['l.1.gz', 'l.2.gz', 'l.3'], [], ['l.3']],
    ['more go, the oldest first', ['l.4', 'l.1.gz', 'l.2.gz', 'l.3.gz'], ['l.1.gz'], ['l.4']],
    ['what was compressed or left unfinished goes', ['l.1', 'l.1.gz', 'l.2.tmp'], ['l.1', 'l.2.tmp'], []],
  ];
  for (const [name, names, remove, compress] of plans)
    test(name, () => assert.deepEqual(planRotation(names, 5), { remove, compress }));

  test('a log that is large enough is moved, the older ones compressed, five files stay', async () => {
    const limits = { bytesMax: 10, filesMax: 5 };
    const reopen = () => writeFile(path, '');
    for (let i = 0; i < 7; i++) {
      await writeFile(path, `content ${i} of the log`);
      assert.equal(await rotateLog(path, NOW + i * 1000, reopen, limits), true);
    }
    const t = (i: number) => `0.log.${rotationTime(NOW + i * 1000)}`;
    assert.deepEqual((await readdir(dir)).sort(), ['0.log', `${t(3)}.gz`, `${t(4)}.gz`, `${t(5)}.gz`, t(6)].sort());
    assert.equal(gunzipSync(await readFile(join(dir, `${t(5)}.gz`))).toString(), 'content 5 of the log');
    assert.equal(t(6), '0.log.20260101-000106');
  });
  test('a small log is left, a missing one made anew', async () => {
    await writeFile(path, 'small');
    let reopened = 0;
    const reopen = async () => void reopened++;
    assert.equal(await rotateLog(path, NOW, reopen), false);
    assert.equal(reopened, 0);
    await rm(path);
    assert.equal(await rotateLog(path, NOW, reopen), false);
    assert.equal(reopened, 1);
  });
  test('a runtime that does not reopen it keeps its file', async () => {
    await writeFile(path, 'large enough');
    const reopen = () => Promise.reject(new Error('no such container'));
    await assert.rejects(rotateLog(path, NOW, reopen, { bytesMax: 1, filesMax: 5 }), /no such container/);
    assert.deepEqual(await readdir(dir), ['0.log']);
  });
});
