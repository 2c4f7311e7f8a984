import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Env } from '../../../kube/meta/env.ts';
import { MessageError, type Query, RCODE, readReply, TYPE, u16 } from './message.ts';
import { writeQuestion } from './write.ts';

/** How long one server may take, and how many attempts are made over all servers. */
const ATTEMPT_MS = 2_000;
const ATTEMPTS_MAX = 3;
/** Queries under way to other servers: each holds a socket. More are refused, as CoreDNS' max_concurrent does. */
const OUTSTANDING_MAX = 1_000;
/** Over TCP. */
const ANSWER_BYTES_MAX = 65_535;
const DNS_PORT = 53;

export interface Server {
  address: string;
  port: number;
}
export const serverOf = (address: string): Server => ({ address, port: DNS_PORT });

/** Asks the node's own resolvers. */
export interface Forwarder {
  /** The answer's bytes with the query's id; null: nobody answered, or too much is being asked. */
  ask(query: Uint8Array, tcp: boolean): Promise<Buffer | null>;
  /** The answer to a question of our own, whole. */
  resolve(name: string, type: number): Promise<Buffer | null>;
  /** Tries whether these resolvers lead back here; nothing is asked of those that do. */
  detectLoop(): Promise<void>;
  /** True for the name that detectLoop asks for. */
  isProbe(q: Query): boolean;
  readonly outstanding: number;
}

/** `servers`: those to ask, in order, without this one itself. */
export function createForwarder(servers: () => readonly Server[], env: Env, attemptMs = ATTEMPT_MS): Forwarder {
  let outstanding = 0;
  let probe = '';
  let loops = false;

  async function ask(query: Uint8Array, tcp: boolean): Promise<Buffer | null> {
    const all = servers();
    if (all.length === 0 || loops || outstanding >= OUTSTANDING_MAX) return null;
    outstanding++;
    try {
      let failed: Buffer | null = null;
      for (let attempt = 0; attempt < Math.max(ATTEMPTS_MAX, all.length); attempt++) {
        const server = all[attempt % all.length] as Server;
        const answer = await (tcp ? askTcp : askUdp)(query, server, attemptMs).catch(() => null); // the next one is asked
        if (answer === null) continue;
        answer.writeUInt16BE(u16(query, 0), 0);
        if (!worthless(answer)) return answer;
        failed = answer;
        if (attempt + 1 >= all.length) break;
      }
      return failed;
    } finally {
      outstanding--;
    }
  }

  return {
    ask,
    async resolve(name, type) {
      const query = writeQuestion(randomInt(0x10000), name, type);
      const answer = await ask(query, false);
      return answer !== null && (u16(answer, 2) & 0x0200) !== 0 ? ask(query, true) : answer;
    },
    async detectLoop() {
      loops = false;
      probe = `${env.uuid().replaceAll('-', '')}.loop.coracle.invalid`;
      await ask(writeQuestion(randomInt(0x10000), probe, TYPE.HINFO), false);
      if (loops) env.log('warn', 'dns.loop', { servers: servers().map((s) => s.address) });
    },
    isProbe(q) {
      const is = probe !== '' && q.question.type === TYPE.HINFO && q.question.labels.join('.').toLowerCase() === probe;
      if (is) loops = true;
      return is;
    },
    get outstanding() {
      return outstanding;
    },
  };
}

/** A server that can't say anything: perhaps the next one can. */
function worthless(answer: Buffer): boolean {
  const rcode = u16(answer, 2) & 15;
  return rcode === RCODE.failure || rcode === RCODE.refused || rcode === RCODE.notImplemented;
}

/** The query with an id of its own, for ids are all that a forger has to guess besides the port. */
function withId(query: Uint8Array): { bytes: Buffer; id: number } {
  const id = randomInt(0x10000);
  const bytes = Buffer.from(query);
  bytes.writeUInt16BE(id, 0);
  return { bytes, id };
}

/** Whether these bytes answer that query: id, and question but for its case. */
function answers(answer: Buffer, query: Buffer, id: number): boolean {
  if (answer.length < 12 || u16(answer, 0) !== id || (u16(answer, 2) & 0x8000) === 0) return false;
  if (u16(answer, 4) === 0) return true; // errors may come without the question
  let end = 12;
  while (end < query.length && query[end] !== 0) end += (query[end] ?? 0) + 1;
  end += 5;
  const text = (b: Buffer) => b.subarray(12, end).toString('latin1').toLowerCase();
  if (text(answer) !== text(query)) return false;
  try {
    readReply(answer);
    return true;
  } catch (error) {
    if (error instanceof MessageError) return false;
    throw error;
  }
}

function askUdp(query: Uint8Array, server: Server, ms: number): Promise<Buffer | null> {
  const { bytes, id } = withId(query);
  return new Promise((resolve, reject) => {
    // A socket for each query: a port that nobody can guess. Connected: only this server is heard.
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    const timer = setTimeout(() => end(null), ms);
    function end(answer: Buffer | null, error?: Error): void {
      clearTimeout(timer);
      socket.close();
      if (error) reject(error);
      else resolve(answer);
    }
    socket.once('error', (error) => end(null, error));
    socket.on('message', (answer) => {
      if (answers(answer, bytes, id)) end(answer);
    });
    socket.connect(server.port, server.address, () => socket.send(bytes));
  });
}

function askTcp(query: Uint8Array, server: Server, ms: number): Promise<Buffer | null> {
  const { bytes, id } = withId(query);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: server.port });
    const parts: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => end(null), ms);
    function end(answer: Buffer | null, error?: Error): void {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve(answer);
    }
    socket.once('error', (error) => end(null, error));
    socket.once('close', () => end(null));
    socket.on('data', (part: Buffer) => {
      parts.push(part);
      size += part.length;
      if (size < 2) return;
      const all = Buffer.concat(parts);
      const length = all.readUInt16BE(0);
      if (size > ANSWER_BYTES_MAX + 2) end(null);
      if (size < length + 2) return;
      const answer = all.subarray(2, length + 2);
      end(answers(answer, bytes, id) ? answer : null);
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    socket.write(Buffer.concat([length, bytes]));
  });
}
