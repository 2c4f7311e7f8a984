import { createServer, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** A forward proxy: what a machine without any other way out has. */
export interface ForwardProxy {
  url: string;
  /** Bytes that came from outside. */
  bytes(): number;
  /** From now on nothing gets through. */
  close(): Promise<void>;
}

/** Starts one on `host`: CONNECT for TLS, whole URLs for plain http. */
export async function startProxy(host: string): Promise<ForwardProxy> {
  let bytes = 0;
  const sockets = new Set<Socket>();
  const server = createServer((req, res) => {
    const out = request(req.url ?? '', { method: req.method, headers: req.headers }, (answer) => {
      answer.on('data', (b: Buffer) => (bytes += b.length));
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    out.on('error', (e) => res.writeHead(502).end(String(e)));
    req.pipe(out);
  });
  server.on('connect', (req, socket: Socket, head: Buffer) => {
    const [name, port] = (req.url ?? '').split(':');
    const out = connect(Number(port), name ?? '', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      out.write(head);
      out.pipe(socket);
      socket.pipe(out);
    });
    out.on('data', (b: Buffer) => (bytes += b.length));
    for (const s of [out, socket]) {
      sockets.add(s);
      s.on('close', () => sockets.delete(s));
      s.on('error', () => {
        out.destroy();
        socket.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    bytes: () => bytes,
    async close() {
      for (const s of sockets) s.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
