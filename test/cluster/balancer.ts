import { connect, createServer, type Socket } from 'node:net';

/** A TCP load balancer: each connection goes to the next backend that may be used and accepts it. */
export interface Balancer {
  port: number;
  close(): Promise<void>;
}

/** `usable` says which backends (ports of 127.0.0.1) take new connections now. */
export async function startBalancer(ports: readonly number[], usable: (index: number) => boolean): Promise<Balancer> {
  const open = new Set<Socket>();
  let next = 0;
  const server = createServer((client) => {
    open.add(client);
    client.on('close', () => open.delete(client));
    client.on('error', () => client.destroy());
    const tryOne = (left: number) => {
      if (left === 0 || client.destroyed) return client.destroy();
      const index = next++ % ports.length;
      if (!usable(index)) return tryOne(left - 1);
      const backend = connect(ports[index] ?? 0, '127.0.0.1');
      const refused = () => tryOne(left - 1);
      backend.once('error', refused);
      backend.once('connect', () => {
        backend.off('error', refused);
        backend.on('error', () => client.destroy());
        client.on('close', () => backend.destroy());
        backend.on('close', () => client.destroySoon());
        client.pipe(backend);
        backend.pipe(client);
      });
    };
    tryOne(ports.length * 2);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close: () =>
      new Promise((done) => {
        for (const socket of open) socket.destroy();
        server.close(() => done());
      }),
  };
}
