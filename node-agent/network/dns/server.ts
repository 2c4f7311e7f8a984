import { createSocket, type RemoteInfo, type Socket as Udp } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6, type Server as NetServer, type Socket } from 'node:net';
import type { Env } from '../../../kube/meta/env.ts';
import { answer, type DnsView } from './answer.ts';
import { Cache } from './cache.ts';
import type { Forwarder } from './forward.ts';
import {
  MessageError,
  type Query,
  RCODE,
  type Reply,
  type ResourceRecord,
  readName,
  readQuery,
  readReply,
  TYPE,
  UDP_BYTES_MAX,
  UDP_BYTES_PLAIN,
} from './message.ts';
import { formatError, writeReply } from './write.ts';

/** TCP connections at a time: resolvers keep few, and for moments. */
const CONNECTIONS_MAX = 256;
/** Queries of one TCP connection under way. */
const PIPELINED_MAX = 32;
/** A connection that says nothing for this long is closed (RFC 7766 6.2.3: seconds). */
const IDLE_MS_MAX = 10_000;
const TCP_BYTES_MAX = 65_535;

export interface DnsParts {
  view: DnsView;
  forward: Forwarder;
  env: Env;
}

/** Answers one query: at once where the cluster knows, else when other servers have. Null: nothing is to be said. */
export function createAnswerer({ view, forward, env }: DnsParts) {
  const cache = new Cache(env.now);

  return (bytes: Buffer, tcp: boolean): Buffer | null | Promise<Buffer | null> => {
    let q: Query | null;
    try {
      q = readQuery(bytes);
    } catch (error) {
      if (error instanceof MessageError) return formatError(bytes);
      throw error;
    }
    if (q === null) return null;
    const limit = tcp ? TCP_BYTES_MAX : Math.min(UDP_BYTES_MAX, Math.max(UDP_BYTES_PLAIN, q.edns?.size ?? 0));
    const say = (r: Reply) => writeReply(q, { recursive: true, ...r }, limit);
    if (q.opcode !== 0) return say({ rcode: RCODE.notImplemented });
    if (q.edns && q.edns.version > 0) return say({ rcode: RCODE.badVersion });
    const own = answer(q.question, view);
    if (own !== null) {
      if (own.outside !== undefined) return goOn(q, own, own.outside, say);
      return say(own.answers ? { ...own, answers: rotated(own.answers, env.random()) } : own);
    }
    if (forward.isProbe(q)) return say({ rcode: RCODE.failure });
    return cache.get(q, limit) ?? ask(q, bytes, tcp, say);
  };

  async function ask(q: Query, bytes: Buffer, tcp: boolean, say: (r: Reply) => Buffer): Promise<Buffer> {
    const got = await forward.ask(bytes, tcp);
    if (got === null) return say({ rcode: RCODE.failure });
    cache.put(q, got);
    return got;
  }

  /** An ExternalName's way goes on outside: what is said there of its addresses is given along. */
  async function goOn(q: Query, own: Reply, name: string, say: (r: Reply) => Buffer): Promise<Buffer> {
    const got = await forward.resolve(name, q.question.type);
    const more = got === null ? null : outsideRecords(got);
    if (more === null) return say({ ...own, rcode: RCODE.failure });
    return say({ ...own, answers: [...(own.answers ?? []), ...more] });
  }
}

/** Names and addresses of an answer from outside; null where it failed. That there are none is an answer. */
function outsideRecords(bytes: Buffer): ResourceRecord[] | null {
  const reply = readReply(bytes);
  if (reply.rcode !== RCODE.ok && reply.rcode !== RCODE.noName) return null;
  const records: ResourceRecord[] = [];
  for (const r of reply.answers) {
    const base = { name: r.labels.join('.'), ttl: r.ttl };
    if (r.type === TYPE.CNAME)
      records.push({ ...base, data: { type: 'CNAME', target: readName(bytes, r.data).labels.join('.') } });
    else if (r.type === TYPE.A)
      records.push({ ...base, data: { type: 'A', address: bytes.subarray(r.data, r.end).join('.') } });
    else if (r.type === TYPE.AAAA) {
      const hex = bytes.subarray(r.data, r.end).toString('hex');
      records.push({ ...base, data: { type: 'AAAA', address: (hex.match(/.{4}/g) ?? []).join(':') } });
    }
  }
  return records;
}

/** Addresses begin with another one each time, for most programs take the first. CNAMEs stay where they are. */
function rotated(records: readonly ResourceRecord[], random: number): readonly ResourceRecord[] {
  const first = records.findIndex((r) => r.data.type === 'A' || r.data.type === 'AAAA');
  const count = records.length - first;
  if (first < 0 || count < 2) return records;
  const by = first + Math.floor(random * count);
  return [...records.slice(0, first), ...records.slice(by), ...records.slice(first, by)];
}

/** Listens on UDP and TCP at one address. Rejects where one of them is taken. */
export async function serveDns(
  parts: DnsParts,
  address: string,
  port: number,
): Promise<{ port: number; close(): Promise<void> }> {
  const respond = createAnswerer(parts);
  const failed = (error: unknown) => parts.env.log('warn', 'dns.failed', { error: String(error) });
  const tcp = await listenTcp(respond, address, port, failed);
  const bound = (tcp.address() as { port: number }).port;
  try {
    const udp = await listenUdp(respond, address, bound, failed);
    return {
      port: bound,
      async close() {
        udp.close();
        tcp.close();
        for (const socket of connections.get(tcp) ?? []) socket.destroy();
        await once(tcp, 'close');
      },
    };
  } catch (error) {
    tcp.close();
    throw error;
  }
}

type Respond = ReturnType<typeof createAnswerer>;

async function listenUdp(respond: Respond, address: string, port: number, failed: (e: unknown) => void): Promise<Udp> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  socket.on('error', failed);
  const send = (answer: Buffer | null, to: RemoteInfo) => {
    if (answer !== null) socket.send(answer, to.port, to.address, (e) => e && failed(e));
  };
  socket.on('message', (query, from) => {
    try {
      const answer = respond(query, false);
      if (answer instanceof Promise) answer.then((a) => send(a, from)).catch(failed);
      else send(answer, from);
    } catch (error) {
      failed(error);
    }
  });
  return socket;
}

const connections = new WeakMap<NetServer, Set<Socket>>();

async function listenTcp(
  respond: Respond,
  address: string,
  port: number,
  failed: (e: unknown) => void,
): Promise<NetServer> {
  const all = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    all.add(socket);
    socket.on('close', () => all.delete(socket));
    converse(socket, respond).catch((error) => {
      // A client that goes, or is sent away because it says nothing, is no failure.
      if (!socket.destroyed) failed(error);
      socket.destroy();
    });
  });
  connections.set(server, all);
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(port, address);
  await once(server, 'listening');
  return server;
}

/** Queries with their length before them (RFC 1035 4.2.2), answered in the order in which answers come (RFC 7766 7). */
async function converse(socket: Socket, respond: Respond): Promise<void> {
  socket.setTimeout(IDLE_MS_MAX, () => socket.destroy());
  socket.on('error', () => undefined); // the client went; its answers go nowhere
  let rest: Buffer = Buffer.alloc(0);
  const waiting = new Set<Promise<void>>();
  const send = (answer: Buffer | null) => {
    if (answer === null || socket.destroyed) return;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(answer.length);
    socket.write(Buffer.concat([length, answer]));
  };
  for await (const part of socket as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? part : Buffer.concat([rest, part]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const length = rest.readUInt16BE(0);
      const answer = respond(rest.subarray(2, 2 + length), true);
      rest = rest.subarray(2 + length);
      if (!(answer instanceof Promise)) {
        send(answer);
        if (socket.writableNeedDrain) await once(socket, 'drain');
        continue;
      }
      const sent: Promise<void> = answer.then(send).finally(() => waiting.delete(sent));
      waiting.add(sent);
      if (waiting.size >= PIPELINED_MAX) await Promise.race(waiting);
    }
  }
  await Promise.all(waiting);
  socket.end();
}
