import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import * as v from 'valibot';
import { authToml, endpointOf, hostsFile, hostsFolder, hostsOf, Registries, rewritten } from './registries.ts';
import { routeRewrites, targetOf } from './rewriting.ts';

const parse = (r: unknown) => v.parse(Registries, r);

describe('an endpoint as k3s reads it', () => {
  const cases: [given: string, url: string, registry: string, overridePath: boolean][] = [
    ['https://r.example.com', 'https://r.example.com/v2', 'r.example.com', false],
    ['https://r.example.com/', 'https://r.example.com/v2', 'r.example.com', false],
    ['https://r.example.com:5000/v2', 'https://r.example.com:5000/v2', 'r.example.com:5000', false],
    ['r.example.com', 'https://r.example.com/v2', 'r.example.com', false],
    ['http://r.example.com', 'http://r.example.com/v2', 'r.example.com', false],
    ['https://r.example.com/v2/proxy', 'https://r.example.com/v2/proxy', 'r.example.com', true],
    ['localhost:5000', 'http://localhost:5000/v2', 'localhost:5000', false],
    ['127.0.0.1:5000', 'http://127.0.0.1:5000/v2', '127.0.0.1:5000', false],
    ['https://127.0.0.1:5000', 'https://127.0.0.1:5000/v2', '127.0.0.1:5000', false],
    ['localhost', 'https://localhost/v2', 'localhost', false],
    ['docker.io', 'https://registry-1.docker.io/v2', 'docker.io', false],
    ['https://registry-1.docker.io', 'https://registry-1.docker.io/v2', 'docker.io', false],
    ['https://[fd00::1]:5000', 'https://[fd00::1]:5000/v2', '[fd00::1]:5000', false],
  ];
  for (const [given, url, registry, overridePath] of cases)
    test(given, () => assert.deepEqual(endpointOf(given), { url, registry, overridePath }));
  for (const given of ['ftp://r', '', 'https://', 'https://r/?x', 'a b'])
    test(`${JSON.stringify(given)} is none`, () => assert.equal(endpointOf(given), null));
});

describe('hosts.toml', () => {
  const TLS = { ca_file: '/ca', cert_file: '/c', key_file: '/k' };
  const cases: [name: string, file: unknown, folder: string, expected: string[]][] = [
    [
      'mirrors are asked in their order, then the registry itself',
      { mirrors: { 'docker.io': { endpoint: ['https://a', 'http://b:5000'] } } },
      'docker.io',
      [
        'server = "https://registry-1.docker.io/v2"',
        '[host."https://a/v2"]',
        'capabilities = ["pull", "resolve"]',
        '[host."http://b:5000/v2"]',
        'capabilities = ["pull", "resolve"]',
      ],
    ],
    [
      'a mirror has the TLS of its own host',
      { mirrors: { 'r.io': { endpoint: ['https://a:5000'] } }, configs: { 'a:5000': { tls: TLS } } },
      'r.io',
      [
        'server = "https://r.io/v2"',
        '[host."https://a:5000/v2"]',
        'capabilities = ["pull", "resolve"]',
        'ca = ["/ca"]',
        'client = [["/c", "/k"]]',
      ],
    ],
    [
      'a registry without mirrors has its TLS too',
      { configs: { 'a:5000': { tls: { insecure_skip_verify: true } } } },
      'a:5000',
      [
        'server = "https://a:5000/v2"',
        'skip_verify = true',
        '[host."https://a:5000/v2"]',
        'capabilities = ["pull", "resolve"]',
        'skip_verify = true',
      ],
    ],
    [
      'a port of this machine of which TLS is said has it',
      { configs: { '127.0.0.1:5000': { tls: { ca_file: '/ca' } } } },
      '127.0.0.1:5000',
      [
        'server = "https://127.0.0.1:5000/v2"',
        'ca = ["/ca"]',
        '[host."https://127.0.0.1:5000/v2"]',
        'capabilities = ["pull", "resolve"]',
        'ca = ["/ca"]',
      ],
    ],
    [
      "Docker Hub's TLS may stand under both of its names",
      { mirrors: { 'docker.io': {} }, configs: { 'registry-1.docker.io': { tls: { ca_file: '/hub' } } } },
      'docker.io',
      [
        'server = "https://registry-1.docker.io/v2"',
        'ca = ["/hub"]',
        '[host."https://registry-1.docker.io/v2"]',
        'capabilities = ["pull", "resolve"]',
        'ca = ["/hub"]',
      ],
    ],
    [
      'an endpoint with a path of its own keeps it',
      { mirrors: { 'r.io': { endpoint: ['https://a/v2/cache'] } } },
      'r.io',
      [
        'server = "https://r.io/v2"',
        '[host."https://a/v2/cache"]',
        'capabilities = ["pull", "resolve"]',
        'override_path = true',
      ],
    ],
    [
      'a mirror of all registries has no server: each is asked by its own name in the end',
      { mirrors: { '*': { endpoint: ['https://a'] } } },
      '_default',
      ['[host."https://a/v2"]', 'capabilities = ["pull", "resolve"]'],
    ],
    [
      'a registry that is its own last mirror is asked once, and so is one that is named twice',
      { mirrors: { 'r.io': { endpoint: ['https://a', 'https://a/', 'https://r.io'] } } },
      'r.io',
      ['server = "https://r.io/v2"', '[host."https://a/v2"]', 'capabilities = ["pull", "resolve"]'],
    ],
    [
      'a path with a quote stays one string',
      { configs: { r: { tls: { ca_file: '/a"b\\c' } } } },
      'r',
      [
        'server = "https://r/v2"',
        'ca = ["/a\\"b\\\\c"]',
        '[host."https://r/v2"]',
        'capabilities = ["pull", "resolve"]',
        'ca = ["/a\\"b\\\\c"]',
      ],
    ],
  ];
  for (const [name, file, folder, expected] of cases)
    test(name, () => {
      const found = Object.entries(hostsOf(parse(file))).find(([host]) => hostsFolder(host) === folder)?.[1];
      assert.ok(found);
      const lines = hostsFile(found)
        .split('\n')
        .map((l) => l.trim());
      assert.deepEqual(
        lines.filter((l) => l !== ''),
        expected,
      );
    });
  test('a registry of which nothing is said but its password has none', () => {
    assert.deepEqual(
      hostsOf(parse({ configs: { r: { auth: { username: 'u', password: 'p' } } }, mirrors: { s: {} } })),
      {},
    );
  });
  test('what is empty in the file is nothing', () => {
    for (const file of [
      {},
      { mirrors: null, configs: null },
      { mirrors: { r: null }, configs: { r: null } },
      { mirrors: { r: { endpoint: null } } },
    ])
      assert.deepEqual(hostsOf(parse(file)), {});
  });
});

describe('credentials', () => {
  const head = (host: string) => `[plugins."io.containerd.grpc.v1.cri".registry.configs."${host}".auth]`;
  const cases: [name: string, configs: Record<string, unknown>, expected: string[]][] = [
    [
      'a password',
      { 'r:5000': { auth: { username: 'u', password: 'p"x' } } },
      [head('r:5000'), 'username = "u"', 'password = "p\\"x"'],
    ],
    [
      'both in one, a token',
      { r: { auth: { auth: 'dTpw' } }, s: { auth: { identity_token: 't' } } },
      [head('r'), 'auth = "dTpw"', head('s'), 'identitytoken = "t"'],
    ],
    [
      'Docker Hub by the name that containerd asks',
      { 'docker.io': { auth: { username: 'u' } } },
      [head('registry-1.docker.io'), 'username = "u"'],
    ],
    ['nothing without them', { r: { tls: {} } }, []],
  ];
  for (const [name, configs, expected] of cases)
    test(name, () => {
      const lines = authToml(parse({ configs }))
        .split('\n')
        .map((l) => l.trim());
      assert.deepEqual(
        lines.filter((l) => l !== ''),
        expected,
      );
    });
  test('a listener has those of the mirror that it asks', () => {
    const toml = authToml(parse({ configs: { r: { auth: { username: 'u' } } } }), {
      '127.0.0.1:9': 'r',
      '127.0.0.1:8': 's',
    });
    assert.ok(toml.includes(`${head('127.0.0.1:9')}\n  username = "u"\n`));
    assert.ok(!toml.includes('127.0.0.1:8'));
  });
});

describe('what is refused, and why', () => {
  const cases: [file: unknown, why: RegExp][] = [
    [{ mirror: {} }, /Invalid key/],
    [{ mirrors: { r: { endpoints: [] } } }, /Invalid key/],
    [{ configs: { r: { auth: { user: 'u' } } } }, /Invalid key/],
    [{ configs: { r: { tls: { ca: '/x' } } } }, /Invalid key/],
    [{ configs: { r: { auth: { password: 'p' } } } }, /auth: username and password, auth, or identity_token is needed/],
    [
      { configs: { '*': { auth: { username: 'u' } } } },
      /configs \*: containerd has credentials and TLS of single registries only/,
    ],
    [{ configs: { r: { tls: { ca_file: 'ca.crt' } } } }, /ca_file: an absolute path is needed/],
    [{ configs: { r: { tls: { cert_file: '/c' } } } }, /configs r: cert_file and key_file belong together/],
    [{ mirrors: { r: { endpoint: ['ftp://x'] } } }, /mirrors r: endpoint ftp:\/\/x is no URL of http or https/],
    [
      { mirrors: { r: { endpoint: ['https://x'], rewrite: { '(': 'x' } } } },
      /mirrors r: rewrite \( is no regular expression/,
    ],
    [{ mirrors: { '../x': {} } }, /"..\/x" is no registry's host/],
    [{ mirrors: { 'https://r': {} } }, /"https:\/\/r" is no registry's host/],
    ['mirrors', /Expected Object/],
  ];
  for (const [file, why] of cases) test(JSON.stringify(file), () => assert.throws(() => parse(file), why));
});

describe('rewrites', () => {
  const cases: [name: string, repository: string, rewrite: [string, string][], expected: string][] = [
    ['put a prefix before all', 'library/busybox', [['^(.*)$', 'hub/$1']], 'hub/library/busybox'],
    [
      "are k3s's example",
      'rancher/coredns',
      [['^rancher/(.*)', 'mirrorproject/rancher-images/$1']],
      'mirrorproject/rancher-images/coredns',
    ],
    ['leave other names', 'library/busybox', [['^rancher/(.*)', 'x/$1']], 'library/busybox'],
    [
      'the first that is found counts',
      'a/b',
      [
        ['^x', 'y'],
        ['^a/', 'c/'],
        ['b$', 'd'],
      ],
      'c/b',
    ],
    ["know Go's braces", 'a/b', [['^a/(.*)', `c-$\{1}x`]], 'c-bx'],
  ];
  for (const [name, repository, rewrite, expected] of cases)
    test(name, () => assert.equal(rewritten(repository, rewrite), expected));

  const endpoint = { url: 'https://m/v2/p', registry: 'm', overridePath: true, rewrite: [['^a/', 'b/']] as const };
  const urls: [string, string][] = [
    ['/v2/', 'https://m/v2/p/'],
    ['/v2/a/x/manifests/1?ns=r.io', 'https://m/v2/p/b/x/manifests/1?ns=r.io'],
    ['/v2/a/x/y/blobs/sha256:00', 'https://m/v2/p/b/x/y/blobs/sha256:00'],
    ['/v2/c/manifests/latest', 'https://m/v2/p/c/manifests/latest'],
  ];
  for (const [asked, there] of urls)
    test(`${asked} is asked as ${there}`, () => assert.equal(targetOf(endpoint, asked), there));

  describe('through a listener', () => {
    const asked: string[] = [];
    const mirror = createServer((req, res) => {
      asked.push(`${req.method} ${req.url} ${req.headers.authorization ?? '-'} ${req.headers.host}`);
      if (req.url?.includes('moved')) return res.writeHead(307, { location: '/elsewhere' }).end();
      if (!req.headers.authorization) return res.writeHead(401, { 'www-authenticate': 'Basic realm="m"' }).end();
      return res.writeHead(200, { 'docker-content-digest': 'sha256:00' }).end('body');
    });
    let url = '';
    before(async () => {
      await new Promise<void>((r) => mirror.listen(0, '127.0.0.1', r));
      url = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`;
    });
    after(() => mirror.close());

    test('names change, answers, refusals and credentials pass', async () => {
      const registries = parse({ mirrors: { 'r.io': { endpoint: [url], rewrite: { '^a/': 'b/' } } } });
      const { hosts, aliases } = await routeRewrites(hostsOf(registries));
      const [e] = hosts['r.io']?.endpoints ?? [];
      assert.ok(e);
      const [address = ''] = Object.keys(aliases);
      assert.equal(e.url, `http://${address}/v2`);
      assert.equal(`http://${aliases[address]}`, url);
      const refused = await fetch(`${e.url}/a/x/manifests/1?ns=r.io`);
      assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [401, 'Basic realm="m"']);
      const given = await fetch(`${e.url}/a/x/manifests/1?ns=r.io`, { headers: { authorization: 'Basic dTpw' } });
      assert.deepEqual(
        [given.status, given.headers.get('docker-content-digest'), await given.text()],
        [200, 'sha256:00', 'body'],
      );
      assert.equal(asked.at(-1), `GET /v2/b/x/manifests/1?ns=r.io Basic dTpw ${url.slice(7)}`);
      const moved = await fetch(`${e.url}/a/moved/blobs/sha256:00`, { redirect: 'manual' });
      assert.deepEqual([moved.status, moved.headers.get('location')], [307, `${url}/elsewhere`]);
    });
    test('a mirror that is away is one that is unavailable', async () => {
      const registries = parse({ mirrors: { 'r.io': { endpoint: ['http://127.0.0.1:1'], rewrite: { a: 'b' } } } });
      const { hosts } = await routeRewrites(hostsOf(registries));
      const answer = await fetch(`${hosts['r.io']?.endpoints[0]?.url}/a/x/manifests/1`);
      assert.equal(answer.status, 502);
      assert.match(await answer.text(), /"code":"UNAVAILABLE","message":"http:\/\/127\.0\.0\.1:1\/v2: /);
    });
  });
});
