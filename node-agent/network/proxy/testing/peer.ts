import { createSocket } from 'node:dgram';
import { createServer, type Socket, connect as tcp } from 'node:net';
import { createInterface } from 'node:readline';

// Runs inside a namespace and does what it is told, a JSON line each: serves at a port, asks servers. Ends with its input.

/** No answer by then: it was dropped. */
const SILENT_MS = 400;

interface Question {
  id: number;
  what: 'serve' | 'ask' | 'connect' | 'again';
  name?: string;
  ip?: string;
  port?: number;
  protocol?: 'tcp' | 'udp';
  connection?: number;
}

const connections = new Map<number, Socket>();
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
    const done = (answer: unknown) => {
      clearTimeout(timer);
      resolve(answer);
    };
    s.once('data', (d) => done(JSON.parse(String(d))));
    s.once('error', (e) => done(reason(e)));
    s.once('close', () => done('closed'));
    s.write('?');
  });
}

async function askTcp(ip: string, port: number): Promise<unknown> {
  const s = tcp({ host: ip, port });
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

async function answer(q: Question): Promise<unknown> {
  const { ip = '', port = 0 } = q;
  if (q.what === 'serve') return serve(q.name ?? '', port);
  if (q.what === 'ask') return q.protocol === 'udp' ? askUdp(ip, port) : askTcp(ip, port);
  if (q.what === 'connect') {
    const s = tcp({ host: ip, port });
    s.on('error', () => undefined);
    connections.set(q.id, s);
    return q.id;
  }
  return heard(connections.get(q.connection ?? 0) as Socket);
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const q = JSON.parse(line) as Question;
    void answer(q).then((a) => process.stdout.write(`${JSON.stringify({ id: q.id, answer: a })}\n`));
  })
  .on('close', () => process.exit(0));
