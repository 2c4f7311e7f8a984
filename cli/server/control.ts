import { request } from 'node:http';

/** A request to a Worker's control socket (workers/drain.ts); rejects when nobody answers within `limitMs`. */
export function control(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  limitMs = 2_000,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const r = request({ socketPath, method, path, agent: false, timeout: limitMs }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (s: string) => {
        text += s;
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    r.on('timeout', () => r.destroy(new Error('no answer')));
    r.on('error', reject);
    r.end();
  });
}

/** What `GET /ready` on an instance's cluster port answers; 0 without an answer. */
export function memberStatus(address: string, limitMs = 2_000): Promise<number> {
  return new Promise((resolve) => {
    const r = request(`http://${address.replace(/^(0\.0\.0\.0|\*|\[::\]):/, '127.0.0.1:')}/ready`, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    r.setTimeout(limitMs, () => r.destroy(new Error('no answer')));
    r.on('error', () => resolve(0));
    r.end();
  });
}
