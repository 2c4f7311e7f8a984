import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { Cluster, Server } from './server.ts';

/** What the issue asks about: 50 MB in one list. */
const OBJECTS = 5_000;
const BODY = 'x'.repeat(10_000);
/** Writers while the cluster is filled. */
const WRITERS = 8;
/** A slow reader takes one part of this many bytes, then waits. */
const SLOW_BYTES = 256 * 1024;
const SLOW_MS = 40;

const FORMS: Readonly<Record<string, string>> = {
  json: 'application/json',
  protobuf: 'application/vnd.kubernetes.protobuf',
  table: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  yaml: 'application/yaml',
};

export interface ListFigure {
  form: string;
  reader: 'fast' | 'slow';
  ms: number;
  mebibytes: number;
  /** Highest resident memory while the list was read, above what it was before. */
  riseMiB: number;
}

/** Lists of 5,000 ConfigMaps of 10 KB in every form, read fast and slowly, with the memory that workerd takes meanwhile. */
export async function measureLists(s: Server): Promise<ListFigure[]> {
  const c = await s.create('lists');
  await fill(s, c);
  const inspector = await s.inspect();
  const figures: ListFigure[] = [];
  // Once before: what a form needs but once (schemas, code) isn't the list's.
  for (const accept of Object.values(FORMS)) await read(s, c, `${accept}`, 0, '?limit=5');
  for (const [form, accept] of Object.entries(FORMS)) {
    for (const reader of ['fast', 'slow'] as const) {
      await inspector.live([]);
      const before = peakFrom(s.pid);
      const begin = performance.now();
      const bytes = await read(s, c, accept, reader === 'slow' ? SLOW_MS : 0);
      figures.push({
        form,
        reader,
        ms: Math.round(performance.now() - begin),
        mebibytes: Math.round(bytes / 1024 / 1024),
        riseMiB: Math.round(peak(s.pid) - before),
      });
    }
  }
  inspector.close();
  return figures;
}

/** So many ConfigMaps of 10 KB in default. */
export async function fill(s: Server, c: Cluster, objects = OBJECTS): Promise<void> {
  let next = 0;
  const writer = async () => {
    while (next < objects) {
      const name = `c${String(next++).padStart(5, '0')}`;
      const body = JSON.stringify({ metadata: { name }, data: { text: BODY } });
      const r = await s.ask(`/clusters/${c.id}/api/v1/namespaces/default/configmaps`, c.token, {
        method: 'POST',
        body,
      });
      if (r.code !== 201) throw new Error(`${name}: ${r.code} ${r.text}`);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

/** The bytes of the whole answer, read in parts with a pause after each SLOW_BYTES. */
async function read(s: Server, c: Cluster, accept: string, pauseMs: number, query = ''): Promise<number> {
  let bytes = 0;
  const path = `/clusters/${c.id}/api/v1/namespaces/default/configmaps${query}`;
  await readParts(s, c, path, accept, pauseMs, (part) => {
    bytes += part.length;
  });
  return bytes;
}

/** SHA-256 of an answer that is read so. */
export async function digestOf(s: Server, c: Cluster, path: string, accept: string, pauseMs: number): Promise<string> {
  const hash = createHash('sha256');
  await readParts(s, c, path, accept, pauseMs, (part) => hash.update(part));
  return hash.digest('hex');
}

function readParts(
  s: Server,
  c: Cluster,
  path: string,
  accept: string,
  pauseMs: number,
  take: (part: Buffer) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${c.token}`, accept };
    const r = request({ host: '127.0.0.1', port: s.port, path, ca: s.ca, headers, agent: false }, (answer) => {
      if (answer.statusCode === 429) {
        // A busy machine: the list is asked for again, as clients do.
        answer.resume();
        const waitMs = Number(answer.headers['retry-after'] ?? 1) * 1000;
        setTimeout(() => readParts(s, c, path, accept, pauseMs, take).then(resolve, reject), waitMs);
        return;
      }
      if (answer.statusCode !== 200) reject(new Error(`${accept}: ${answer.statusCode}`));
      let since = 0;
      answer.on('data', (part: Buffer) => {
        take(part);
        since += part.length;
        if (pauseMs === 0 || since < SLOW_BYTES) return;
        since = 0;
        answer.pause();
        setTimeout(() => answer.resume(), pauseMs);
      });
      answer.on('end', resolve);
      answer.on('error', reject);
    });
    r.on('error', reject);
    r.end();
  });
}

const field = (pid: number, name: string) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
const peak = (pid: number) => field(pid, 'VmHWM');
/** Begins a new peak at what is resident now. */
function peakFrom(pid: number): number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return field(pid, 'VmRSS');
}
