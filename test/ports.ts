import { connect, createServer } from 'node:net';

/** TCP ports of 127.0.0.1 that nobody listens on now: all are held until the last is known, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (s) =>
        new Promise<number>((resolve, reject) => {
          s.on('error', reject);
          s.listen(0, '127.0.0.1', () => {
            const a = s.address();
            resolve(typeof a === 'object' && a ? a.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
  return ports;
}
export const freePort = async (): Promise<number> => (await freePorts(1))[0] ?? 0;

/** Whether somebody listens on a port of 127.0.0.1. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const c = connect(port, '127.0.0.1', () => {
      c.destroy();
      resolve(true);
    });
    c.on('error', () => resolve(false));
  });
}
