import assert from 'node:assert/strict';
import { it } from 'node:test';
import { deletePod, podKey, putPod, won } from '../../kube/store/suite-kit.ts';
import { forget, sweep } from '../../workers/tenant/history.ts';
import type { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { verifySlice } from '../../workers/tenant/verify.ts';
import { open } from './world.ts';

async function filled() {
  const { sql, store } = open();
  for (let i = 0; i < 500; i += 100) {
    const pod = (_: unknown, n: number) =>
      putPod(`p${i + n}`, {
        labels: { app: `a${n % 7}` },
        node: `n${n % 3}`,
        owners: ['o'],
        ...(n === 0 ? { policy: `P${i}` } : {}),
      });
    await won(store, Array.from({ length: 100 }, pod));
  }
  await won(store, [
    { ...putPod('dies'), ttlMs: 60_000 },
    { claim: { name: 'ports', ports: { from: 1, to: 9 } }, owner: podKey('p1') },
  ]);
  await won(store, [putPod('p7', { mark: 2 }), deletePod('p8'), putPod('p9', { policy: 'Q' })]);
  return { sql, store };
}

function verify(store: SqliteStore): {
  findings: string[];
  rows: Record<string, number>;
  slices: number;
  unsummed: number;
} {
  const all = { findings: [] as string[], rows: {} as Record<string, number>, slices: 0, unsummed: 0 };
  let next: string | undefined;
  do {
    const v = verifySlice(store.state, next);
    all.findings.push(...v.findings);
    all.rows[v.table] = (all.rows[v.table] ?? 0) + v.rows;
    all.unsummed += v.unsummed;
    all.slices++;
    next = v.next;
  } while (next !== undefined && all.slices < 1_000);
  return all;
}

it('a whole store has nothing to find, and every row is looked at once', async () => {
  const { sql, store } = await filled();
  const { findings, rows, slices } = verify(store);
  assert.deepEqual(findings, []);
  assert.equal(rows.history, 504);
  assert.equal(rows.current, 500);
  assert.equal(rows.policy, 6);
  assert.equal(rows.facts, sql.all('SELECT COUNT(*) FROM facts')[0]?.[0]);
  assert.ok(slices > 15, `${slices} slices`);
});

it('a slice is a few questions, however many rows it has', async () => {
  const { sql, store } = await filled();
  let questions = 0;
  const all = sql.all.bind(sql);
  sql.all = (...args) => {
    questions++;
    return all(...args);
  };
  for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
    questions = 0;
    const { rows, table, next: after } = verifySlice(store.state, next);
    // Each policy text is a row that is read by itself.
    if (table !== 'policy') assert.ok(questions <= 4, `${questions} for ${rows} rows of ${table}`);
    next = after;
  }
});

it('writes of one transaction leave the index of what stands after all of them, in as many statements as writes of one row', async () => {
  const { sql, store } = open();
  const calls: string[] = [];
  const run = sql.run.bind(sql);
  sql.run = (query, ...args) => {
    if (query.includes('facts (') || query.includes('FROM facts')) calls.push(query);
    run(query, ...args);
  };
  const labelled = (app: string) => ({ labels: { app, tier: app, zone: app, team: app } });
  await won(store, [putPod('stays', labelled('a')), putPod('goes', labelled('b'))]);
  calls.length = 0;
  const both = await Promise.all([
    store.commit([putPod('stays', labelled('c'))]),
    store.commit([deletePod('goes')]),
    store.commit([putPod('comes', labelled('d'))]),
    store.commit([deletePod('comes')]),
    store.commit([putPod('comes', labelled('e'))]),
    store.commit([putPod('stays', labelled('a'))]),
    store.commit([putPod('goes', labelled('f'))]),
  ]);
  assert.ok(both.every((c) => c.ok));
  assert.equal(calls.length, 2, calls.join('\n'));
  const terms = sql.all(`SELECT key, term FROM facts WHERE term LIKE 'l:app=%' ORDER BY key`);
  assert.deepEqual(
    terms.map(([key, term]) => `${key} ${term}`),
    ['pods/default/comes l:app=e', 'pods/default/goes l:app=f', 'pods/default/stays l:app=a'],
  );
  assert.deepEqual(verify(store).findings, []);
});

it('a store that was compacted has nothing to find', async () => {
  const { store } = await filled();
  forget(store.state, 503);
  while (sweep(store.state));
  assert.deepEqual(verify(store).findings, []);
});

const DAMAGE: [name: string, statement: string, finding: RegExp][] = [
  [
    'a body',
    `UPDATE history SET value = value || ' ' WHERE revision = 5`,
    /^history: pods\/default\/p4 at revision 5: its checksum does not match$/,
  ],
  [
    'facts',
    `UPDATE history SET facts = replace(facts, 'n1', 'n2') WHERE revision = 5`,
    /^history: pods\/default\/p4 at revision 5: its checksum/,
  ],
  [
    'who wrote it',
    `UPDATE history SET by = 'root' WHERE revision = 5`,
    /^history: pods\/default\/p4 at revision 5: its checksum/,
  ],
  [
    'a lost row',
    'DELETE FROM history WHERE revision = 5',
    /^current: pods\/default\/p4 at revision 5: the row is missing$/,
  ],
  ['a lost version', 'DELETE FROM history WHERE revision = 8', /what it replaced, revision 8, is gone$/],
  [
    'a lost place',
    `DELETE FROM current WHERE key = 'pods/default/p4'`,
    /^newest versions: pods\/default\/p4 at revision 5: it stands and does not stand$/,
  ],
  [
    'a place of old',
    `UPDATE current SET revision = 8 WHERE key = 'pods/default/p7'`,
    /^newest versions: pods\/default\/p7/,
  ],
  [
    'one place too many',
    `INSERT INTO current (key, revision) VALUES ('pods/default/p8', 9)`,
    /^newest versions: pods\/default\/p8/,
  ],
  [
    'a lost fact',
    `DELETE FROM facts WHERE term = 'n:n1' AND key = 'pods/default/p4'`,
    /^current: pods\/default\/p4 at revision 5: the index of facts lacks n:n1$/,
  ],
  [
    'a fact too many',
    `INSERT INTO facts (term, key) VALUES ('o:x', 'pods/default/p4')`,
    /^facts: pods\/default\/p4: it does not have o:x$/,
  ],
  [
    'a lost policy',
    `DELETE FROM policy WHERE key = 'pods/default/p9'`,
    /^current: pods\/default\/p9 .*: its policy text is another$/,
  ],
  [
    'another policy',
    `UPDATE policy SET policy = 'Z' WHERE key = 'pods/default/p9'`,
    /^policy: pods\/default\/p9 .*: its policy text is not the row's$/,
  ],
  [
    'a claim of nobody',
    `UPDATE claims SET owner = 'pods/default/p8'`,
    /^claims: \d of ports: its owner pods\/default\/p8 does not exist$/,
  ],
  ['the death of nobody', `UPDATE ttl SET key = 'pods/default/p8'`, /^ttl: pods\/default\/p8: /],
];
for (const [name, statement, finding] of DAMAGE) {
  it(`finds ${name}`, async () => {
    const { sql, store } = await filled();
    sql.run(statement);
    const { findings } = verify(store);
    assert.ok(
      findings.some((f) => finding.test(f)),
      findings.join('\n'),
    );
    assert.ok(findings.length <= 8, findings.join('\n'));
  });
}
