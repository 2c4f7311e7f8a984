import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { JSON_TYPE } from '../../kube/codec/negotiate.ts';
import { OPENAPI_TYPE } from '../../kube/codec/openapi.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { fetchOpenApi, type Summary, summaryOf } from './openapi.ts';
import { serveTokens } from './serve.ts';

// Our OpenAPI v2 document beside that of a real kube-apiserver, recorded by test/api/record.ts.

/** What is theirs alone: the paths of discovery above a version, of OpenID and of the version; and the schemas of these. */
const THEIR_PATHS = /^\/(?:api|apis|version|apis\/[^/]+|openid\/.*|\.well-known\/.*)\/$/;
const THEIR_SCHEMAS = [
  'io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup',
  'io.k8s.apimachinery.pkg.apis.meta.v1.APIGroupList',
  'io.k8s.apimachinery.pkg.apis.meta.v1.APIVersions',
  'io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionForDiscovery',
  'io.k8s.apimachinery.pkg.apis.meta.v1.ServerAddressByClientCIDR',
  'io.k8s.apimachinery.pkg.version.Info',
];
/** Definitions that differ, each with its reason. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions': 'names the groups that are served only',
  'io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent': 'names the groups that are served only',
  'io.k8s.api.core.v1.PersistentVolumeClaimStatus': 'a map that is granular, as maps are anyway',
  'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceSpec': 'a text that is called an atomic list',
};

let server: Awaited<ReturnType<typeof serveTokens>>;
before(async () => {
  server = await serveTokens();
});
after(() => server.close());

test('the document says what that of a real kube-apiserver says', async () => {
  const theirs = JSON.parse(readFileSync(join(import.meta.dirname, 'recorded/openapi-v2.json'), 'utf8')) as Summary;
  const ours = summaryOf(JSON.parse((await fetchOpenApi(server.target, JSON_TYPE)).toString()) as JsonObject);
  const paths = Object.entries(theirs.paths).filter(([path]) => !THEIR_PATHS.test(path));
  assert.ok(paths.length > 300, 'few paths were recorded');
  assert.deepEqual(ours.paths, Object.fromEntries(paths));
  for (const name of THEIR_SCHEMAS) assert.ok(name in theirs.definitions && !(name in ours.definitions), name);
  const differ = Object.keys({ ...theirs.definitions, ...ours.definitions }).filter(
    (name) => theirs.definitions[name] !== ours.definitions[name],
  );
  assert.deepEqual(differ.sort(), [...THEIR_SCHEMAS, ...Object.keys(DIFFERENT)].sort());
});

const tools = join(import.meta.dirname, '../../tools/openapi-vectors');
const env = { ...process.env, GOPROXY: 'off' };
const module = 'github.com/google/gnostic-models';
const found = spawnSync('go', ['list', '-m', '-f', '{{.Dir}}', module], { cwd: tools, env, encoding: 'utf8' }).stdout;
const skip = found?.trim() ? false : `the Go module ${module} is not in the module cache`;

test('the protobuf form is what gnostic makes of the JSON form, byte for byte', { skip }, async () => {
  const input = await fetchOpenApi(server.target, JSON_TYPE);
  const theirs = spawnSync('go', ['run', '.', 'encode'], { cwd: tools, env, input, maxBuffer: 1 << 26 });
  assert.equal(theirs.status, 0, theirs.stderr.toString());
  assert.ok(theirs.stdout.equals(await fetchOpenApi(server.target, OPENAPI_TYPE)));
});
