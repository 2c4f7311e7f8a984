import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { CREDIT_BYTES, type Dial, PING, PONG, WIRE_VERSION } from '../../kube/wire/messages.ts';
import { startWorkerd, type Workerd } from './start.ts';

let workerd: Workerd;
before(async () => {
  const module = JSON.stringify(join(dirname(fileURLToPath(import.meta.url)), 'inside/tunnels.ts'));
  workerd = await startWorkerd({
    entry: `export * from ${module};\nexport { default } from ${module};\n`,
    objects: { TUNNELS: 'Tunnel', RELAYS: 'Relay', LOOPS: 'Loop' },
  });
});
after(() => workerd?.stop());
const sockets: WebSocket[] = [];
afterEach(() => {
  for (const s of sockets.splice(0)) s.terminate();
});

const ws = (path: string, protocols: string[] = [], headers: Record<string, string> = {}) => {
  const s = new WebSocket(workerd.url.replace('http', 'ws') + path, protocols, { headers, perMessageDeflate: false });
  s.on('error', () => undefined);
  sockets.push(s);
  return s;
};
const opened = (s: WebSocket) => new Promise<void>((done, fail) => s.once('open', done).once('error', fail));
const closed = (s: WebSocket) =>
  new Promise<{ code: number; why: string }>((r) => s.once('close', (code, why) => r({ code, why: String(why) })));
const ask = async (path: string) => (await fetch(workerd.url + path)).json();

/** An agent's control channel; `dials` gives the requests in order. */
async function agent(node: string): Promise<{ control: WebSocket; dial(): Promise<Dial>; frames: string[] }> {
  const control = ws(`/tunnel?node=${node}`);
  const frames: string[] = [];
  let arrived: () => void = () => undefined;
  control.on('message', (m) => {
    frames.push(String(m));
    arrived();
  });
  await opened(control);
  control.send(JSON.stringify({ type: 'hello', wire: WIRE_VERSION, node, agent: 'test' }));
  const next = async (type: string) => {
    for (;;) {
      const at = frames.findIndex((f) => f.startsWith('{') && JSON.parse(f).type === type);
      if (at >= 0) return JSON.parse(frames.splice(at, 1)[0] ?? '');
      await new Promise<void>((r) => (arrived = r));
    }
  };
  await next('welcome');
  return { control, frames, dial: () => next('dial') };
}
const headers = (head: object) => ({ 'coracle-head': encodeURIComponent(JSON.stringify(head)) });
const stream = (dial: Dial, head: object, ticket = dial.ticket) =>
  ws(`${dial.path}?ticket=${ticket}`, [], headers(head));
/** An agent's stream that counts its credit. */
async function body(dial: Dial): Promise<{ socket: WebSocket; credit(): Promise<number>; send(bytes: Buffer): void }> {
  const socket = stream(dial, { status: 200, headers: { 'content-type': 'text/plain' } });
  let credit = 0;
  let arrived: () => void = () => undefined;
  socket.on('message', (m) => {
    credit += JSON.parse(String(m)).bytes;
    assert.ok(credit <= CREDIT_BYTES, `${credit} bytes of credit`);
    arrived();
  });
  socket.on('close', () => arrived());
  await opened(socket);
  return {
    socket,
    async credit() {
      while (credit === 0 && socket.readyState === socket.OPEN) await new Promise<void>((r) => (arrived = r));
      return credit;
    },
    send(bytes) {
      credit -= bytes.length;
      socket.send(bytes);
    },
  };
}
const client = (node: string) =>
  new Promise<IncomingMessage>((done, fail) => get(`${workerd.url}/client?node=${node}`, done).once('error', fail));
async function text(answer: IncomingMessage): Promise<string> {
  let all = '';
  for await (const part of answer) all += part;
  return all;
}
/** Resident memory of the workerd that this process started, in MiB. */
function resident(): number {
  let sum = 0;
  for (const task of readdirSync('/proc/self/task')) {
    for (const pid of readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean))
      sum += Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  }
  return sum;
}

describe('the control channel of a node', () => {
  it('answers pings while its object sleeps', async () => {
    const { control, frames } = await agent('sleepy');
    const counts = (await ask('/counts?node=sleepy')) as { made: number; messages: number };
    for (let i = 0; i < 7; i++) {
      await delay(2_000);
      control.send(PING);
    }
    while (frames.length < 7) await new Promise((r) => control.once('message', r));
    assert.deepEqual(frames, Array(7).fill(PONG));
    const now = (await ask('/counts?node=sleepy')) as typeof counts;
    assert.equal(now.made, counts.made + 1, 'a ping kept the object awake');
    assert.equal(now.messages, counts.messages, 'a ping was handed to the object');
    const heard = (await ask('/heard?node=sleepy')) as number;
    assert.ok(Date.now() - heard < 5_000, 'the last ping is known');
    assert.equal(await ask('/wake?node=sleepy'), true);
    while (frames.length < 8) await new Promise((r) => control.once('message', r));
    assert.equal(frames[7], '{"type":"wake","revision":7}');
  });

  it('is closed by the alarm when nothing is heard of it', async () => {
    const { control } = await agent('quick');
    assert.equal((await closed(control)).code, 1001);
    assert.equal(await ask('/wake?node=quick'), false);
  });

  it('tells the controllers when the node has gone and when it is back, and nothing in between', async () => {
    const told = async () => ((await ask('/told?node=x')) as string[]).filter((t) => t.endsWith('/gone/quick'));
    const { control } = await agent('gone/quick');
    const began = Date.now();
    for (let i = 0; i < 4; i++) {
      await delay(500);
      control.send(PING);
    }
    assert.deepEqual(await told(), []);
    control.terminate();
    const dropped = Date.now();
    while ((await told()).length === 0) await delay(50);
    assert.ok(Date.now() - dropped >= 1_000, 'told before the grace was over');
    assert.deepEqual(await told(), ['node-controller nodes/gone/quick']);
    const { connected, heardMs } = (await ask('/liveness?node=gone/quick')) as { connected: boolean; heardMs: number };
    assert.equal(connected, false);
    assert.ok(heardMs >= began && heardMs <= dropped);
    await agent('gone/quick');
    while ((await told()).length < 2) await delay(50);
  });

  it('stays while pings come', async () => {
    const { control } = await agent('quick');
    for (let i = 0; i < 8; i++) {
      await delay(500);
      control.send(PING);
    }
    assert.equal(control.readyState, control.OPEN);
  });

  it('is replaced by a newer one of the same node', async () => {
    const first = await agent('twice');
    const gone = closed(first.control);
    await agent('twice');
    assert.equal((await gone).code, 1000);
    assert.match(first.frames.join(), /"bye","reason":"replaced/);
  });

  const wrong: [string, string | Buffer, number][] = [
    ['is no JSON', 'hallo', 1008],
    ['is not known', '{"type":"credit","bytes":1}', 1008],
    ['is binary', Buffer.of(1), 1009],
    ['is too long', 'x'.repeat(70_000), 1009],
  ];
  for (const [what, frame, code] of wrong) {
    it(`is closed after a frame that ${what}`, async () => {
      const { control } = await agent('wrong');
      const gone = closed(control);
      control.send(frame);
      assert.equal((await gone).code, code);
    });
  }
});

describe('a stream to a node', () => {
  it('fails in upstream’s words when no agent comes within the grace', async () => {
    const began = Date.now();
    const answer = await client('nobody');
    assert.equal(answer.statusCode, 500);
    const status = JSON.parse(await text(answer));
    assert.equal(status.message, 'Internal error occurred: error dialing backend: No agent available');
    assert.ok(Date.now() - began >= 1_000);
  });

  it('waits for an agent that is just coming back', async () => {
    const answer = client('late');
    await delay(300);
    const { dial } = await agent('late');
    const b = await body(await dial());
    b.socket.send(JSON.stringify({ type: 'end' }));
    assert.equal((await answer).statusCode, 200);
    assert.equal(await text(await answer), '');
  });

  it('takes its ticket once, and no other', async () => {
    const { dial } = await agent('ticket');
    const answer = client('ticket');
    const d = await dial();
    const status = (head: object, ticket: string) =>
      fetch(`${workerd.url}${d.path}?ticket=${ticket}`, { headers: headers(head) }).then((r) => r.status);
    assert.equal(await status({ status: 200 }, 'guessed'), 404);
    assert.equal(await status({ status: 200 }, ''), 404);
    const b = await body(d);
    assert.equal(await status({ status: 200 }, d.ticket), 404);
    b.send(Buffer.from('mine'));
    b.socket.send(JSON.stringify({ type: 'end' }));
    assert.equal(await text(await answer), 'mine');
    assert.equal(await status({ status: 200 }, d.ticket), 404);
  });

  it('gives a refusal as the agent said it', async () => {
    const { dial } = await agent('refusing');
    const answer = client('refusing');
    const d = await dial();
    const head = { status: 400, headers: { 'content-type': 'application/json' }, error: '{"kind":"Status"}' };
    await fetch(`${workerd.url}${d.path}?ticket=${d.ticket}`, { method: 'POST', headers: headers(head) });
    const got = await answer;
    assert.deepEqual(
      [got.statusCode, got.headers['content-type'], await text(got)],
      [400, 'application/json', '{"kind":"Status"}'],
    );
  });

  const breaks: [string, (s: WebSocket) => void][] = [
    ['sends more than it was granted', (s) => s.send(Buffer.alloc(CREDIT_BYTES + 1))],
    ['goes without an end', (s) => s.close(1000)],
    ['is killed', (s) => s.terminate()],
    ['says that it failed', (s) => s.send('{"type":"end","error":"disk"}')],
  ];
  for (const [what, act] of breaks) {
    it(`breaks the body when the agent ${what}`, async () => {
      const { dial } = await agent('breaking');
      const answer = client('breaking');
      const b = await body(await dial());
      await b.credit();
      b.send(Buffer.alloc(10, 'x'));
      const got = await answer;
      setTimeout(() => act(b.socket), 50);
      await assert.rejects(text(got));
      if (b.socket.readyState !== b.socket.CLOSED) await closed(b.socket);
    });
  }

  it('carries a request’s body as the agent grants it, then the head and body of its answer', async () => {
    const a = await agent('proxied');
    const sent = randomBytes(CREDIT_BYTES + 1_000);
    const asked = fetch(`${workerd.url}/client?node=proxied&kind=proxy`, { method: 'POST', body: sent });
    const socket = stream(await a.dial(), { status: 102 });
    const got: Buffer[] = [];
    let credit = 0;
    const whole = new Promise<void>((done) =>
      socket.on('message', (data: Buffer, binary) => {
        if (binary) {
          got.push(data);
          credit -= data.length;
          assert.ok(credit >= 0, 'more than was granted');
          if (credit === 0) grant();
        } else if (JSON.parse(String(data)).type === 'end') done();
      }),
    );
    const grant = () => {
      credit += CREDIT_BYTES;
      socket.send(JSON.stringify({ type: 'credit', bytes: CREDIT_BYTES }));
    };
    await opened(socket);
    grant();
    await whole;
    assert.ok(Buffer.concat(got).equals(sent));
    const granted = new Promise((r) => socket.once('message', r));
    socket.send(JSON.stringify({ type: 'head', head: { status: 418, headers: { 'x-pod': 'p' } } }));
    await granted;
    socket.send(Buffer.from('short and stout'));
    socket.send(JSON.stringify({ type: 'end' }));
    const answer = await asked;
    assert.deepEqual([answer.status, answer.headers.get('x-pod'), await answer.text()], [418, 'p', 'short and stout']);
  });

  it('answers 500 where the agent goes before it has sent a head', async () => {
    const a = await agent('gone');
    const asked = fetch(`${workerd.url}/client?node=gone&kind=proxy`, { method: 'POST', body: 'x' });
    const socket = stream(await a.dial(), { status: 102 });
    await opened(socket);
    socket.terminate();
    const answer = await asked;
    assert.equal(answer.status, 500);
    assert.match(await answer.text(), /error trying to reach service/);
  });

  it('closes the agent’s socket when the client of a body has gone', async () => {
    const { dial } = await agent('leaving');
    const answer = client('leaving');
    const b = await body(await dial());
    b.send(Buffer.from('first'));
    const got = await answer;
    const gone = closed(b.socket).then(() => true);
    got.destroy();
    // A busy machine notices only with the next line that nobody is there.
    while (!(await Promise.race([gone, delay(100, false)]))) b.send(Buffer.from('line'));
  });

  it('closes the agent’s socket when a WebSocket client has gone', async () => {
    const { dial } = await agent('leaving');
    const c = ws('/client?node=leaving&kind=exec', ['v5.channel.k8s.io']);
    const s = stream(await dial(), { status: 101, headers: { 'sec-websocket-protocol': 'v5.channel.k8s.io' } });
    await Promise.all([opened(s), opened(c)]);
    assert.equal(c.protocol, 'v5.channel.k8s.io');
    const gone = closed(s);
    c.terminate();
    await gone;
  });

  it('carries 256 MiB of a log to a slow reader in bounded memory', { timeout: 120_000 }, async () => {
    const { dial } = await agent('logs');
    const answer = client('logs');
    const b = await body(await dial());
    const data = randomBytes(64 << 10); // what the agent reads of a log at a time
    const sent = createHash('sha256');
    const before_ = resident();
    let most = before_;
    const sending = (async () => {
      for (let left = 256 << 20; left > 0; ) {
        const n = Math.min(await b.credit(), left, data.length);
        left -= n;
        sent.update(data.subarray(0, n));
        b.send(data.subarray(0, n));
      }
      b.socket.send(JSON.stringify({ type: 'end' }));
    })();
    const got = createHash('sha256');
    let chunks = 0;
    for await (const part of await answer) {
      got.update(part as Buffer);
      if (++chunks % 64 === 0) {
        await delay(20);
        most = Math.max(most, resident());
      }
    }
    await sending;
    assert.equal(got.digest('hex'), sent.digest('hex'));
    console.log(`  workerd: ${before_.toFixed(0)} MiB before, at most ${most.toFixed(0)} MiB during 256 MiB of log`);
    // Read buffers wait for the garbage collector; with 1 GiB it is no more.
    assert.ok(most - before_ < 160, `${(most - before_).toFixed(0)} MiB more`);
  });

  for (const [to, from] of [
    ['client', 'agent'],
    ['agent', 'client'],
  ] as const) {
    it(`couples WebSockets: 64 MiB from ${from} to a slow ${to}, in bounded memory`, { timeout: 120_000 }, async () => {
      const { dial } = await agent('pairs');
      const c = ws('/client?node=pairs&kind=exec');
      const s = stream(await dial(), { status: 101 });
      const received = createHash('sha256');
      const [sender, receiver] = from === 'agent' ? [s, c] : [c, s];
      let bytes = 0;
      let most = 0;
      await Promise.all([opened(s), opened(c)]);
      const before_ = resident();
      receiver.on('message', (m: Buffer) => {
        received.update(m);
        bytes += m.length;
        if (bytes % (2 << 20) !== 0) return;
        most = Math.max(most, resident());
        receiver.pause();
        setTimeout(() => receiver.resume(), 20);
      });
      const gone = closed(receiver);
      const part = randomBytes(128 << 10);
      const sent = createHash('sha256');
      for (let left = 64 << 20; left > 0; left -= part.length) {
        sent.update(part);
        await new Promise((r) => sender.send(part, r));
      }
      sender.close(1000, 'all');
      assert.equal((await gone).code, 1000);
      assert.equal(bytes, 64 << 20);
      assert.equal(received.digest('hex'), sent.digest('hex'));
      console.log(`  workerd: ${before_.toFixed(0)} MiB before, at most ${most.toFixed(0)} MiB`);
      assert.ok(most - before_ < 48, `${(most - before_).toFixed(0)} MiB more`);
    });
  }
});

it('a process that is killed takes its links with it: nodes have the usual time to come back before controllers are told', async () => {
  const told = async () => ((await ask('/told?node=x')) as string[]).filter((t) => t.endsWith('/lost/quick'));
  const liveness = async () => (await ask('/liveness?node=lost/quick')) as { connected: boolean; heardMs: number };
  const { control } = await agent('lost/quick');
  control.send(PING);
  // Longer ago than the time after which a link is dead.
  const last = Date.now();
  while (Date.now() - last < 2_000) {
    control.send(PING);
    await delay(200);
  }
  await workerd.restart();
  const began = Date.now();
  assert.equal((await liveness()).connected, true);
  while ((await told()).length === 0) await delay(50);
  assert.ok(Date.now() - began >= 1_000, 'told before the grace was over');
  assert.equal((await liveness()).connected, false);
});
