/** A neighbour that asks for nothing but an answer, again and again: how long one waited is how long others held the thread. A thread of its own, started by steps.ts. */
import { Agent, request } from 'node:https';
import { parentPort, workerData } from 'node:worker_threads';

/** Between an answer and the next question. */
const PAUSE_MS = 1;

const { port, ca } = workerData as { port: number; ca: string };
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let longest = 0;

function ask(): Promise<void> {
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const r = request({ host: '127.0.0.1', port, path: '/healthz', ca, agent }, (answer) => {
      answer.on('end', () => {
        longest = Math.max(longest, performance.now() - begin);
        resolve();
      });
      answer.resume();
    });
    r.on('error', reject);
    r.end();
  });
}

parentPort?.on('message', () => {
  parentPort?.postMessage(longest);
  longest = 0;
});
for (;;) {
  await ask();
  await new Promise((next) => setTimeout(next, PAUSE_MS));
}
