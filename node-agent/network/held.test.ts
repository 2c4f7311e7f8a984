import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { heldDevice } from './held.ts';

const run = promisify(execFile);
const skip = process.getuid?.() === 0 ? false : 'needs root';

it('an address is held on a device of its own: another agent takes only its own away, and what somebody takes comes back', {
  skip,
}, async () => {
  const script = join(import.meta.dirname, 'testing', 'held.ts');
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', script];
  const { stdout } = await run('unshare', ['--net', ...node]);
  const [A, B] = ['one-s inet 198.18.0.10/32', 'one-s inet 10.96.0.10/32'];
  assert.deepEqual(JSON.parse(stdout), {
    told: [
      ['held', [B, A, 'two-s inet 198.18.0.10/32']],
      ['another agent is removed', [B, A]],
      ['dropped', [A]],
      ['taken away by somebody', [A]],
    ],
    lost: [['address.lost', '198.18.0.10']],
  });
});

it("the device's name fits what the kernel takes", () => {
  assert.equal(heldDevice('coracle0'), 'coracle0-s');
  assert.equal(heldDevice('a-long-bridge-x').length, 15);
});
