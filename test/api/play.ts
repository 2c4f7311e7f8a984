import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Answer, Case, Step } from './case.ts';
import { Normaliser } from './normalise.ts';

/** Where cases run. */
export interface Target {
  url: string;
  tokens: { admin?: string; user?: string };
}
/** A watch or a request that says nothing for this long has hung. */
const SILENCE_MS = 4000;
const HEADERS = ['content-type', 'warning', 'allow', 'retry-after'];

interface Raw {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

/** One request as it stands. */
export function send(target: Target, step: Step): Promise<Raw> {
  const url = new URL(target.url.replace(/\/$/, '') + step.path);
  const who = step.as ?? 'admin';
  const token = who === 'bad' ? 'nonsense' : who === 'none' ? undefined : target.tokens[who];
  const body =
    step.body === undefined ? undefined : typeof step.body === 'string' ? step.body : JSON.stringify(step.body);
  const headers: Record<string, string> = {
    accept: 'application/json',
    'user-agent': 'case/1',
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...step.headers,
  };
  return new Promise((resolve, reject) => {
    const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const r = make(url, {
      method: step.method,
      headers,
      agent: false,
      ...(url.protocol === 'https:' ? { rejectUnauthorized: false } : {}),
    });
    r.setTimeout(SILENCE_MS, () => r.destroy(new Error(`silent for ${SILENCE_MS} ms`)));
    // What isn't answered is an answer too: a case must not end the run.
    r.on('error', (e) =>
      e.message.includes('ECONNREFUSED') ? reject(e) : resolve({ status: 0, headers: {}, text: e.message }),
    );
    r.on('response', (res) => {
      let text = '';
      const done = () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text });
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => {
        text += chunk;
        if (step.lines !== undefined && text.split('\n').length > step.lines) {
          done();
          res.destroy();
        }
      });
      res.on('end', done);
      res.on('error', () => done());
    });
    r.end(body);
  });
}

/** Values of earlier answers and the namespace, put into a step. */
function fill(step: Step, namespace: string, answers: readonly unknown[]): Step {
  const text = JSON.stringify(step)
    .replaceAll('{ns}', namespace)
    .replace(/\{\{(\d+)\.([\w.]+)\}\}/g, (_, i: string, path: string) => {
      let v: unknown = answers[Number(i)];
      for (const key of path.split('.')) v = (v as Record<string, unknown> | undefined)?.[key];
      return String(v);
    });
  return JSON.parse(text) as Step;
}

/** Runs a case in a namespace of its own, which is made and deleted around it. */
export async function runCase(target: Target, c: Case, namespace: string): Promise<Answer[]> {
  const admin = (method: string, path: string, body?: unknown) =>
    send(target, { method, path, ...(body ? { body, headers: { 'content-type': 'application/json' } } : {}) });
  await admin('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await admin('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default' },
  });
  const raws: Raw[] = [];
  const bodies: unknown[] = [];
  for (const step of c.steps) {
    const raw = await send(target, fill(step, namespace, bodies));
    raws.push(raw);
    bodies.push(parse(raw.text, step.lines !== undefined));
  }
  const n = new Normaliser(namespace, JSON.stringify(c));
  for (const b of bodies) n.learn(b);
  return raws.map((raw, i) => ({
    status: raw.status,
    headers: Object.fromEntries(
      HEADERS.flatMap((h) => {
        const v = raw.headers[h];
        return v === undefined ? [] : [[h, n.text(Array.isArray(v) ? v.join(', ') : v)]];
      }),
    ),
    body: n.value(bodies[i]),
  }));
}
function parse(text: string, lines: boolean): unknown {
  try {
    if (lines)
      return text
        .split('\n')
        .filter((l) => l !== '')
        .map((l) => JSON.parse(l) as unknown);
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
