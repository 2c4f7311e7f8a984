/**
 * Time travel: `node test/bench/travel.ts [OBJECTS] [KB]` starts a workerd, makes OBJECTS objects (default 3,000) of KB (default 1), changes them all, and prints how long lists of
 * the present and of the past take, a history, and a restore of all of them with the longest wait of a reader meanwhile.
 */
import { optionsOf } from '../options.ts';
import { startControlPlane } from '../workerd/start.ts';

const HELP = `npm run bench:travel -- [OBJECTS] [KB]

Lists of the present and the past, a history, and a restore of all objects (default 3,000 of 1 KB).`;
const { positionals: WORDS } = optionsOf(HELP, {});
const OBJECTS = Number(WORDS[0] ?? 3_000);
const KB = Number(WORDS[1] ?? 1);
const CLIENTS = 32;
const TIMES = 5;
const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';

const w = await startControlPlane();

const operator = { authorization: 'Bearer operator', 'content-type': 'application/json' };
const clusters = `${w.url}/apis/tenancy.coracle.dev/v1/clusters`;
const post = (url: string, body: object) =>
  fetch(url, { method: 'POST', headers: operator, body: JSON.stringify(body) });
const made = (await (await post(clusters, { metadata: { name: 'bench' } })).json()) as {
  status: { url: string; adminToken: string };
};
const { url, adminToken } = made.status;
const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
const get = async (path: string) => (await fetch(url + path, { headers })).arrayBuffer();
const filler = 'x'.repeat(KB * 1024 - 300);
async function writeAll(method: string, version: number): Promise<void> {
  let next = 0;
  const client = async () => {
    for (let i = next++; i < OBJECTS; i = next++) {
      const body = { metadata: { name: `c${i}` }, data: { version: String(version), filler } };
      const path = method === 'POST' ? CONFIGMAPS : `${CONFIGMAPS}/c${i}`;
      const r = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
      if (!r.ok) throw new Error(await r.text());
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}
async function median(f: () => Promise<unknown>): Promise<string> {
  const times: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const begin = performance.now();
    await f();
    times.push(performance.now() - begin);
  }
  return `${Math.round(times.sort((a, b) => a - b)[TIMES >> 1] ?? 0)} ms`;
}
const newest = async () =>
  JSON.parse(new TextDecoder().decode(await get(`${CONFIGMAPS}?limit=1`))).metadata.resourceVersion as string;

try {
  await writeAll('POST', 1);
  const then = await newest();
  for (let version = 2; version <= 6; version++) await writeAll('PUT', version);
  console.log(`${OBJECTS} objects of ${KB} KB, 6 versions of each`);
  console.log('list of the present  ', await median(() => get(CONFIGMAPS)));
  const past = `${CONFIGMAPS}?resourceVersion=${then}&resourceVersionMatch=Exact`;
  console.log('list of the past     ', await median(() => get(past)));
  console.log('a page of 500 of it  ', await median(() => get(`${past}&limit=500`)));
  console.log('history of an object ', await median(() => get('/.coracle/v1/history?kind=cm&name=c7')));
  const begin = performance.now();
  await post(`${clusters}/bench/restore`, { spec: { to: then } });
  let waited = 0;
  let reads = 0;
  for (let phase = ''; phase !== 'Completed'; reads++) {
    const asked = performance.now();
    await get(`${CONFIGMAPS}/c7`);
    waited = Math.max(waited, performance.now() - asked);
    const last = (await (await fetch(`${clusters}/bench/restore`, { headers: operator })).json()) as {
      status: { phase: string };
    };
    phase = last.status.phase;
  }
  console.log('restore of all       ', `${Math.round(performance.now() - begin)} ms`);
  console.log('gets meanwhile       ', `${reads}, the longest ${Math.round(waited)} ms`);
} finally {
  await w.stop();
}
