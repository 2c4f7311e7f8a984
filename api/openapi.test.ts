import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPENAPI_OLD_TYPE, OPENAPI_TYPE } from '../kube/codec/openapi.ts';
import { ADMIN, bench } from './testing.ts';

const PATH = '/openapi/v2';
const JSON_TYPE = 'application/json';

/** While the document is made and encoded. */
const TURNS_MIN = 150;
// The first test of the file: documents are kept.
test("the protobuf form is made once, with everybody else's turn between", async () => {
  const b = await bench();
  const bytes = async () => {
    const request = new Request(`https://test.example${PATH}`, { headers: { accept: OPENAPI_TYPE } });
    const r = await b.api.handle(request, { ...b.cluster, turn }, { user: ADMIN });
    return new Uint8Array(await r.arrayBuffer());
  };
  let turns = 0;
  const turn = async () => {
    turns++;
  };
  const first = await bytes();
  const before = turns;
  assert.ok(before >= TURNS_MIN, `${before} turns`);
  assert.deepEqual(await bytes(), first);
  assert.equal(turns, before, 'the second time there is nothing to do');
  // Field 1 of Document is `swagger`.
  assert.deepEqual([...first.subarray(0, 5)], [10, 3, ...new TextEncoder().encode('2.0')]);
  const text = new TextDecoder('latin1').decode(first);
  for (const name of ['io.k8s.api.core.v1.Pod', '/apis/apps/v1/namespaces/{namespace}/deployments/{name}'])
    assert.ok(text.includes(name), name);
  assert.ok(text.includes('- group: apps\n  kind: Deployment\n  version: v1\n'), 'kinds are YAML');
});

/** What an Accept header comes to: the answer's type, or its code where there is none. */
const ACCEPTED: readonly [accept: string, type: string | number][] = [
  ['', JSON_TYPE],
  ['*/*', JSON_TYPE],
  ['application/*', JSON_TYPE],
  [JSON_TYPE, JSON_TYPE],
  [OPENAPI_TYPE, OPENAPI_TYPE],
  [OPENAPI_OLD_TYPE, OPENAPI_TYPE],
  [`${OPENAPI_TYPE};q=0.5, ${JSON_TYPE}`, JSON_TYPE],
  [`${JSON_TYPE};q=0.5, ${OPENAPI_TYPE}`, OPENAPI_TYPE],
  [`text/html, ${OPENAPI_TYPE}`, OPENAPI_TYPE],
  ['application/vnd.kubernetes.protobuf, */*;q=0.1', JSON_TYPE],
  ['text/html', 406],
  ['application/yaml', 406],
  ['application/vnd.kubernetes.protobuf', 406],
];

test('the v2 document is sent in the form that is asked for', async () => {
  const b = await bench();
  for (const [accept, type] of ACCEPTED) {
    const r = await b.ask('GET', PATH, undefined, { accept });
    const had = r.code === 200 ? r.headers.get('content-type') : r.code;
    assert.equal(had, type, accept);
    assert.equal(r.headers.get('vary'), 'Accept', accept);
    assert.equal(r.text === '', r.code === 406, accept);
  }
});

test('both forms have one ETag, and who has it is told so without a body', async () => {
  const b = await bench();
  const forms = await Promise.all([JSON_TYPE, OPENAPI_TYPE].map((accept) => b.ask('GET', PATH, undefined, { accept })));
  const [etag, other] = forms.map((r) => r.headers.get('etag') ?? '');
  assert.match(etag ?? '', /^"[0-9A-F]+"$/);
  assert.equal(etag, other);
  for (const accept of [JSON_TYPE, OPENAPI_TYPE]) {
    for (const known of [etag, `W/${etag}`, `"a", ${etag}`, '*']) {
      const r = await b.ask('GET', PATH, undefined, { accept, 'if-none-match': known ?? '' });
      assert.deepEqual([r.code, r.text, r.headers.get('content-type')], [304, '', null], known);
      assert.deepEqual([r.headers.get('etag'), r.headers.get('vary')], [etag, 'Accept']);
    }
    const changed = await b.ask('GET', PATH, undefined, { accept, 'if-none-match': '"a"' });
    assert.equal(changed.code, 200);
  }
});

/** Texts of one struct, of version `version`. */
const texts = (version: string, text: string) => async (minor: string) =>
  minor === '1.37'
    ? {
        version,
        of: async (document: string) => (struct: string, field?: string) =>
          document === 'apis/policy/v1' && struct === 'io.k8s.api.policy.v1.PodDisruptionBudget' && field === 'spec'
            ? text
            : undefined,
      }
    : undefined;

test('texts stand in the documents of both versions, and hashes change with them', async () => {
  const b = await bench();
  const path = '/openapi/v3/apis/policy/v1';
  const urlOf = async () => {
    const { body } = await b.ask('GET', '/openapi/v3');
    return (body as unknown as { paths: Record<string, { serverRelativeURL: string }> }).paths['apis/policy/v1']
      ?.serverRelativeURL;
  };
  const spec = async (from: string, at: 'v2' | 'v3') => {
    const { body } = await b.ask('GET', from);
    const all = body as unknown as Record<string, never> & { components: { schemas: never }; definitions: never };
    const schemas = (at === 'v3' ? all.components.schemas : all.definitions) as Record<
      string,
      { properties: Record<string, { description?: string }> }
    >;
    return schemas['io.k8s.api.policy.v1.PodDisruptionBudget']?.properties.spec?.description;
  };
  const seen: unknown[] = [];
  for (const [version, text] of [
    ['', undefined],
    ['1', 'What it asks for.'],
    ['2', 'What it wants.'],
  ] as const) {
    if (text !== undefined) b.cluster.texts = texts(version, text);
    assert.equal(await spec(path, 'v3'), text);
    assert.equal(await spec('/openapi/v2', 'v2'), text);
    seen.push(await urlOf(), (await b.ask('GET', '/openapi/v2')).headers.get('etag'));
  }
  assert.equal(new Set(seen).size, seen.length, JSON.stringify(seen));
});
