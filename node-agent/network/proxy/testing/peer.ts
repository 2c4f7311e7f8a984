import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { request } from 'node:https';
import { createServer, type Socket, connect as tcp } from 'node:net';
import { createInterface } from 'node:readline';

// Runs inside a namespace and does what it is told, a JSON line each: serves at a port, asks servers. Ends with its input.

/** No answer by then: it was dropped. */
const SILENT_MS = 400;

interface Question {
  id: number;
  what: 'serve' | 'ask' | 'connect' | 'again' | 'send';
  name?: string;
  ip?: string;
  port?: number;
  protocol?: 'tcp' | 'udp';
  connection?: number;
  url?: string;
  method?: string;
  headers?: Record<string, string>;
  ca?: string;
  body?: string;
  /** How often: `ask` one after the other, each over a connection of its own. */
  times?: number;
}

const connections = new Map<number, Socket | UdpSocket>();
const plain = (address: string | undefined) => (address ?? '').replace(/^::ffff:/, '');
const reason = (e: NodeJS.ErrnoException) => (e.code === 'ECONNREFUSED' ? 'refused' : String(e.code ?? e.message));

function serve(name: string, port: number): Promise<unknown> {
  const stream = createServer((s) => {
    s.on('error', () => undefined);
    s.on('data', () => s.write(JSON.stringify({ by: name, source: plain(s.remoteAddress) })));
  });
  const packets = createSocket({ type: 'udp6', ipv6Only: false });
  packets.on('message', (_m, from) =>
    packets.send(JSON.stringify({ by: name, source: plain(from.address) }), from.port, from.address),
  );
  return Promise.all([
    new Promise<void>((r) => stream.listen(port, '::', r)),
    new Promise<void>((r) => packets.bind(port, '::', r)),
  ]).then(() => 'ok');
}

/** An answer over a TCP connection. */
function heard(s: Socket): Promise<unknown> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('silent'), SILENT_MS);
    const end = new AbortController();
    const done = (answer: unknown) => {
      clearTimeout(timer);
      end.abort();
      resolve(answer);
    };
    const on = <T>(event: string, f: (x: T) => unknown) => {
      const listener = (x: T) => done(f(x));
      s.once(event, listener);
      end.signal.addEventListener('abort', () => s.off(event, listener));
    };
    on('data', (d: Buffer) => JSON.parse(String(d)));
    on('error', reason);
    on('close', () => 'closed');
    s.write('?');
  });
}

/** An answer to a packet from a socket that stays. */
function heardUdp(s: UdpSocket): Promise<unknown> {
  return new Promise((resolve) => {
    const done = (answer: unknown) => {
      clearTimeout(timer);
      s.removeAllListeners('message');
      resolve(answer);
    };
    const timer = setTimeout(() => done('silent'), SILENT_MS);
    s.once('message', (m) => done(JSON.parse(String(m))));
    s.send('?');
  });
}

async function askTcp(ip: string, port: number): Promise<unknown> {
  const s = tcp({ host: ip, port });
  s.on('error', () => undefined); // told by then, or not waited for
  const answer = await heard(s);
  s.destroy();
  return answer;
}

function askUdp(ip: string, port: number): Promise<unknown> {
  return new Promise((resolve) => {
    const s = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
    const done = (answer: unknown) => {
      clearTimeout(timer);
      s.close();
      resolve(answer);
    };
    const timer = setTimeout(() => done('silent'), SILENT_MS);
    s.once('message', (m) => done(JSON.parse(String(m))));
    s.once('error', (e) => done(reason(e)));
    s.connect(port, ip, () => s.send('?'));
  });
}

/** One HTTPS request; when it went out, and what came. */
function send(q: Question): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const r = request(q.url ?? '', { method: q.method ?? 'GET', headers: q.headers ?? {}, ca: q.ca }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (t: string) => (body += t));
      answer.on('end', () => resolve({ sentMs, status: answer.statusCode, body }));
    });
    r.on('error', reject);
    const sentMs = Date.now();
    r.end(q.body);
  });
}

async function answer(q: Question): Promise<unknown> {
  const { ip = '', port = 0 } = q;
  if (q.what === 'send') return send(q);
  if (q.what === 'serve') return serve(q.name ?? '', port);
  const once = () => (q.protocol === 'udp' ? askUdp(ip, port) : askTcp(ip, port));
  if (q.what === 'ask') {
    if (q.times === undefined) return once();
    const all: unknown[] = [];
    for (let i = 0; i < q.times; i++) all.push(await once());
    return all;
  }
  if (q.what === 'connect' && q.protocol === 'udp') {
    const s = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
    s.on('error', () => undefined);
    await new Promise<void>((r) => s.connect(port, ip, r));
    connections.set(q.id, s);
    return q.id;
  }
  if (q.what === 'connect') {
    const s = tcp({ host: ip, port });
    s.on('error', () => undefined);
    connections.set(q.id, s);
    return q.id;
  }
  const known = connections.get(q.connection ?? 0);
  return known && 'connect' in known && 'bind' in known ? heardUdp(known) : heard(known as Socket);
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const q = JSON.parse(line) as Question;
    void answer(q).then((a) => process.stdout.write(`${JSON.stringify({ id: q.id, answer: a })}\n`));
  })
  .on('close', () => process.exit(0));
