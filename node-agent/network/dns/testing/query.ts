import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { writeQuestion } from '../write.ts';

/** A query's bytes as dig would send them; `edns`: the size it offers. */
export function query(name: string, type: number, o: { id?: number; edns?: number; dnssec?: boolean }): Buffer {
  const bytes = Buffer.from(writeQuestion(o.id ?? 1, name, type));
  if (o.edns === undefined) return bytes;
  bytes.writeUInt16BE(1, 10);
  const opt = Buffer.from('00002900000000000000', 'hex');
  const size = Buffer.alloc(11);
  opt.copy(size);
  size.writeUInt16BE(o.edns, 3);
  if (o.dnssec) size.writeUInt16BE(0x8000, 7);
  return Buffer.concat([bytes, size]);
}

/** Asks a server over UDP. */
export async function askUdp(bytes: Buffer, port: number, address = '127.0.0.1'): Promise<Buffer> {
  const socket = createSocket('udp4');
  try {
    socket.connect(port, address);
    await once(socket, 'connect');
    socket.send(bytes);
    const [answer] = (await once(socket, 'message')) as [Buffer];
    return answer;
  } finally {
    socket.close();
  }
}

/** Asks several things over one TCP connection at once, in two pieces; the answers in the order in which they come. */
export async function askTcp(all: readonly Buffer[], port: number, address = '127.0.0.1'): Promise<Buffer[]> {
  const socket = connect({ port, host: address });
  const whole = Buffer.concat(all.flatMap((b) => [Buffer.from([b.length >> 8, b.length & 255]), b]));
  socket.write(whole.subarray(0, 5));
  setImmediate(() => socket.end(whole.subarray(5)));
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  let rest = Buffer.concat(parts);
  const answers: Buffer[] = [];
  while (rest.length > 2) {
    const end = 2 + rest.readUInt16BE(0);
    answers.push(rest.subarray(2, end));
    rest = rest.subarray(end);
  }
  return answers;
}
