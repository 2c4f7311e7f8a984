import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../meta/status.ts';
import { parseAccept } from './accept.ts';
import {
  CUSTOM_RESOURCE,
  contentType,
  contentTypeOf,
  DISCOVERY,
  negotiate,
  negotiateWatch,
  type Offer,
  PLAIN,
  patchKind,
  RESOURCE,
  wantsPretty,
} from './negotiate.ts';

const JSON_TYPE = 'application/json';
const YAML = 'application/yaml';
const PROTO = 'application/vnd.kubernetes.protobuf';
const table = (v: string) => `as=Table;v=${v};g=meta.k8s.io`;

function refusal(f: () => unknown): [number, string, string] {
  try {
    f();
  } catch (e) {
    assert.ok(e instanceof StatusError);
    return [e.code, e.reason, e.message];
  }
  throw new assert.AssertionError({ message: 'not refused' });
}

// Header, endpoint, media type, kind of the conversion.
const ACCEPTED: [string | null, Offer, string, string][] = [
  [null, RESOURCE, JSON_TYPE, ''],
  ['', RESOURCE, JSON_TYPE, ''],
  ['*/*', RESOURCE, JSON_TYPE, ''],
  ['*', RESOURCE, JSON_TYPE, ''],
  ['application/*', RESOURCE, JSON_TYPE, ''],
  ['application/yaml', RESOURCE, YAML, ''],
  [PROTO, RESOURCE, PROTO, ''],
  [`${PROTO},application/json`, RESOURCE, PROTO, ''],
  [`application/json,${PROTO}`, RESOURCE, JSON_TYPE, ''],
  [`application/json;q=0.5, ${PROTO};q=0.9`, RESOURCE, PROTO, ''],
  [`*/*, ${PROTO}`, RESOURCE, PROTO, ''],
  [`${PROTO},application/json`, CUSTOM_RESOURCE, JSON_TYPE, ''],
  ['unrecognized/stuff, application/json; pretty=1', RESOURCE, JSON_TYPE, ''],
  ['application/json;as=BOGUS;v=v1;g=meta.k8s.io, application/json', RESOURCE, JSON_TYPE, ''],
  [
    `application/json;${table('v1')},application/json;${table('v1beta1')},application/json`,
    RESOURCE,
    JSON_TYPE,
    'v1 Table',
  ],
  [`application/json;${table('v2')},application/json`, RESOURCE, JSON_TYPE, ''],
  [`${PROTO};${table('v1')},application/json;${table('v1')}`, RESOURCE, JSON_TYPE, 'v1 Table'],
  [`${PROTO};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`, CUSTOM_RESOURCE, PROTO, 'v1 PartialObjectMetadata'],
  [
    'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
    RESOURCE,
    JSON_TYPE,
    'v1 PartialObjectMetadataList',
  ],
  [`application/json;${table('v1')},application/json`, PLAIN, JSON_TYPE, ''],
  [
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
    DISCOVERY,
    JSON_TYPE,
    'v2 APIGroupDiscoveryList',
  ],
  ['application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json', RESOURCE, JSON_TYPE, ''],
  [
    'application/json,application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    DISCOVERY,
    JSON_TYPE,
    'v2 APIGroupDiscoveryList',
  ],
  ['application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,*/*', DISCOVERY, JSON_TYPE, ''],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', RESOURCE, JSON_TYPE, ''],
];

test('an Accept header comes to a media type and a conversion', () => {
  for (const [header, offer, type, as] of ACCEPTED) {
    // Twice, because the second answer comes from the cache.
    for (const a of [negotiate(header, offer), negotiate(header, offer)]) {
      assert.equal(a.type, type, String(header));
      assert.equal(a.as === null ? '' : `${a.as.version} ${a.as.kind}`, as, String(header));
    }
  }
});

const LIST = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';
const REFUSED: [string, Offer][] = [
  ['application', RESOURCE],
  ['text/plain', RESOURCE],
  ['application/cbor', RESOURCE],
  [PROTO, CUSTOM_RESOURCE],
  [`application/json;${table('v1')}`, PLAIN],
  ['application/json;stream=logs', RESOURCE],
  ['application/json;sv=v7', RESOURCE],
];

test('nothing that fits is 406 with what would be accepted', () => {
  for (const [header, offer] of REFUSED) {
    const want = [406, 'NotAcceptable', `only the following media types are accepted: ${LIST}`];
    assert.deepEqual(
      refusal(() => negotiate(header, offer)),
      want,
      header,
    );
  }
});

test('a watch is streamed as JSON or protobuf, never as YAML', () => {
  const json = negotiateWatch('application/json;stream=watch', RESOURCE);
  assert.equal(contentTypeOf(json, true), JSON_TYPE);
  const proto = negotiateWatch(`${PROTO};stream=watch,application/json`, RESOURCE);
  assert.equal(contentTypeOf(proto, true), `${PROTO};stream=watch`);
  assert.equal(contentTypeOf(proto), PROTO);
  assert.equal(
    refusal(() => negotiateWatch(YAML, RESOURCE))[2],
    `only the following media types are accepted: application/json;stream=watch, ${PROTO};stream=watch`,
  );
});

test('clauses are ordered by quality, then from the exact to the wild', () => {
  const order = (h: string) => parseAccept(h).map((c) => `${c.type}/${c.subtype}`);
  assert.deepEqual(order('a/b;q=0.1, c/d;q=0.9, e/f'), ['e/f', 'c/d', 'a/b']);
  assert.deepEqual(order('*/*, a/*, a/b'), ['a/b', 'a/*', '*/*']);
  assert.deepEqual(order('a/b/c, , a, x/y;q=z'), ['x/y']);
  assert.deepEqual(
    [...(parseAccept('a/b; as = Table;v=v1;x;y=1=2')[0]?.params ?? [])],
    [
      ['as', 'Table'],
      ['v', 'v1'],
    ],
  );
});

test('people get indented JSON', () => {
  const plain = negotiate('application/json', RESOURCE);
  const pretty = negotiate('application/json;pretty=1', RESOURCE);
  const yaml = negotiate('application/yaml', RESOURCE);
  const rows: [typeof plain, string | null, string | null, boolean][] = [
    [plain, null, null, false],
    [plain, null, 'kubectl/v1.37.1', false],
    [plain, null, 'curl/8.0', true],
    [plain, null, 'Mozilla/5.0 (X11)', true],
    [plain, 'false', 'curl/8.0', false],
    [plain, 'true', 'kubectl', true],
    [plain, 'yes', null, false],
    [pretty, null, null, true],
    [yaml, 'true', 'curl', false],
  ];
  for (const [a, query, agent, want] of rows) assert.equal(wantsPretty(a, query, agent), want, `${query} ${agent}`);
});

const BODIES: [string | null, string | null][] = [
  [null, JSON_TYPE],
  ['', JSON_TYPE],
  ['application/json', JSON_TYPE],
  ['application/json; charset=utf-8', JSON_TYPE],
  ['Application/JSON', JSON_TYPE],
  ['application/json;charset="utf-8";', JSON_TYPE],
  ['application/yaml', YAML],
  [PROTO, PROTO],
  [`${PROTO};type=x`, PROTO],
  ['application/json;', JSON_TYPE],
  ['application/json; charset', null],
  ['application/json; a=1; a=2', null],
  ['application/json x', null],
  ['text/plain', null],
  ['application/x-www-form-urlencoded', null],
  ['application/cbor', null],
];

test('a Content-Type that is not known is 415 with what is', () => {
  for (const [header, want] of BODIES) {
    if (want !== null) assert.equal(contentType(header), want, String(header));
    else {
      const text = `the body of the request was in an unknown format - accepted media types include: ${LIST}`;
      assert.deepEqual(
        refusal(() => contentType(header)),
        [415, 'UnsupportedMediaType', text],
        String(header),
      );
    }
  }
});

test('a patch is known by its Content-Type', () => {
  assert.equal(patchKind('application/json-patch+json'), 'json');
  assert.equal(patchKind('application/merge-patch+json; charset=utf-8'), 'merge');
  assert.equal(patchKind('application/strategic-merge-patch+json'), 'strategic');
  assert.equal(patchKind('application/apply-patch+yaml'), 'apply');
  assert.equal(
    refusal(() => patchKind('application/strategic-merge-patch+json', true))[2],
    'the body of the request was in an unknown format - accepted media types include: ' +
      'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
  );
  assert.equal(refusal(() => patchKind('application/json'))[0], 415);
});
