import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expandVariables } from './container.ts';
import { resourceValue } from './env.ts';
import { envFileValue } from './envfile.ts';
import { kernelName, podName } from './hostname.ts';
import { hostsText } from './hosts.ts';
import type { Container, Pod, PodSpec } from './pod.ts';
import { podDns } from './poddns.ts';
import { containerResources, oomScore, podCgroup, podTotal, qosOf, texts } from './resources.ts';
import { containerSecurity, refusedAppArmor } from './security.ts';
import { type Service, serviceVariables } from './serviceenv.ts';
import { forbiddenSysctl } from './sysctls.ts';

const pod = (spec: Partial<PodSpec>, name = 'p'): Pod => ({
  metadata: { name, namespace: 'ns', uid: 'u' },
  spec: { containers: [], ...spec },
});
const MACHINE = { memoryBytes: 1000 * 1024 ** 2, hugePages: ['2MB', '1GB'], unified: false };
const c = (name: string, requests?: Record<string, string>, limits?: Record<string, string>): Container => ({
  name,
  image: 'i',
  ...(requests || limits ? { resources: { ...(requests ? { requests } : {}), ...(limits ? { limits } : {}) } } : {}),
});

describe('variables', () => {
  const envs = [
    { key: 'A', value: '1' },
    { key: 'E', value: '' },
  ];
  const table: [string, string][] = [
    ['$(A)', '1'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['x$(A)y$(A)', 'x1y1'],
    ['$(E)', ''],
    ['$(NONE)', '$(NONE)'],
    ['$(A', '$(A'],
    ['$A $', '$A $'],
    ['$(a$(A)', '$(a$(A)'],
    ['a\nb$(A)', 'a\nb1'],
  ];
  for (const [text, is] of table)
    test(`${JSON.stringify(text)} is ${JSON.stringify(is)}`, () => assert.equal(expandVariables(text, envs), is));
});

describe('variables of Services', () => {
  const s = (namespace: string, name: string, more: Partial<Service> = {}): Service => ({
    namespace,
    name,
    clusterIP: '10.0.0.1',
    ports: [{ port: 443, name: 'https', protocol: 'TCP' }],
    ...more,
  });
  test('host, first port, named ports, then the link variables', () => {
    const ports = [
      { port: 80, name: 'web-ui' },
      { port: 53, name: 'dns', protocol: 'UDP' },
    ];
    assert.deepEqual(
      serviceVariables([s('ns', 'my-db', { ports })], 'ns', true).map((v) => `${v.key}=${v.value}`),
      [
        'MY_DB_SERVICE_HOST=10.0.0.1',
        'MY_DB_SERVICE_PORT=80',
        'MY_DB_SERVICE_PORT_WEB_UI=80',
        'MY_DB_SERVICE_PORT_DNS=53',
        'MY_DB_PORT=tcp://10.0.0.1:80',
        'MY_DB_PORT_80_TCP=tcp://10.0.0.1:80',
        'MY_DB_PORT_80_TCP_PROTO=tcp',
        'MY_DB_PORT_80_TCP_PORT=80',
        'MY_DB_PORT_80_TCP_ADDR=10.0.0.1',
        'MY_DB_PORT_53_UDP=udp://10.0.0.1:53',
        'MY_DB_PORT_53_UDP_PROTO=udp',
        'MY_DB_PORT_53_UDP_PORT=53',
        'MY_DB_PORT_53_UDP_ADDR=10.0.0.1',
      ],
    );
  });
  const hosts = (all: Service[], links: boolean) =>
    serviceVariables(all, 'ns', links)
      .filter((v) => v.key.endsWith('_HOST'))
      .map((v) => `${v.key}=${v.value}`);
  const all = [
    s('default', 'kubernetes'),
    s('default', 'other'),
    s('ns', 'own', { clusterIP: 'fd00::1' }),
    s('ns', 'headless', { clusterIP: 'None' }),
    s('ns', 'external', { clusterIP: '' }),
    s('third', 'kubernetes'),
  ];
  test('those of the own namespace with an address, and kubernetes of default', () =>
    assert.deepEqual(hosts(all, true), ['KUBERNETES_SERVICE_HOST=10.0.0.1', 'OWN_SERVICE_HOST=fd00::1']));
  test('without links only kubernetes', () =>
    assert.deepEqual(hosts(all, false), ['KUBERNETES_SERVICE_HOST=10.0.0.1']));
  test('a Service kubernetes of the own namespace goes before', () => {
    const own = s('ns', 'kubernetes', { clusterIP: '10.0.0.9' });
    for (const both of [
      [own, ...all],
      [...all, own],
    ])
      assert.equal(hosts(both, true)[0], 'KUBERNETES_SERVICE_HOST=10.0.0.9');
  });
  test('an IPv6 address is bracketed in URLs', () =>
    assert.ok(serviceVariables(all, 'ns', true).some((v) => v.value === 'tcp://[fd00::1]:443')));
});

describe('files of variables', () => {
  const file = "# a\n\n A='1' # one\nB='two\nlines'\nC= 'x'\nD='$A'\n";
  for (const [key, is] of Object.entries({ A: '1', B: 'two\nlines', C: '', D: '$A', NONE: '' }))
    test(`${key} is ${JSON.stringify(is)}`, () => assert.equal(envFileValue(file, key), is));
  const wrong: [string, RegExp][] = [
    ['A', /line 1: missing '='/],
    ["A ='1'", /line 1: whitespace before '=' is not allowed/],
    ["='1'", /line 1: empty variable name/],
    ['A=1', /line 1: value must be enclosed in single quotes/],
    ["A='1'x", /line 1: unexpected content after closing quote/],
    ["A='1\nB", /starting at line 1: unclosed single quote/],
  ];
  for (const [text, why] of wrong)
    test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => envFileValue(text, 'Z'), why));
});

describe('names', () => {
  const long = 'a'.repeat(62);
  const table: [string, Partial<PodSpec>, string, { host: string; domain: string }, string | null][] = [
    ['the pod', {}, 'p', { host: 'p', domain: '' }, 'p'],
    ['hostname and subdomain', { hostname: 'h', subdomain: 's' }, 'p', { host: 'h', domain: 's.ns.svc.d' }, 'h'],
    [
      'as a whole',
      { hostname: 'h', subdomain: 's', setHostnameAsFQDN: true },
      'p',
      { host: 'h', domain: 's.ns.svc.d' },
      'h.s.ns.svc.d',
    ],
    ['an override', { hostnameOverride: 'x.y', subdomain: 's' }, 'p', { host: 'x.y', domain: '' }, 'x.y'],
    ['a long name', {}, `${long}-.b`, { host: long, domain: '' }, long],
    [
      'too long as a whole',
      { hostname: long, subdomain: 's', setHostnameAsFQDN: true },
      'p',
      { host: long, domain: 's.ns.svc.d' },
      null,
    ],
  ];
  for (const [what, spec, name, is, kernel] of table)
    test(what, () => {
      assert.deepEqual(podName(pod(spec, name), 'd'), is);
      if (kernel !== null) assert.equal(kernelName(pod(spec, name), 'd'), kernel);
      else
        assert.throws(
          () => kernelName(pod(spec, name), 'd'),
          /FQDN .* is too long \(64 characters is the max, 73 char/,
        );
    });
});

describe('the hosts file', () => {
  const hostAliases = [{ ip: '10.9.9.9', hostnames: ['a', 'b'] }];
  test("has the pod's addresses and names, and aliases", () => {
    const text = hostsText(pod({ subdomain: 's', hostAliases }), ['10.1.1.1', 'fd00::1'], 'd', 'unused');
    assert.match(text, /^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n/);
    const end =
      '10.1.1.1\tp.s.ns.svc.d\tp\nfd00::1\tp.s.ns.svc.d\tp\n\n# Entries added by HostAliases.\n10.9.9.9\ta\tb\n';
    assert.ok(text.endsWith(end), text);
  });
  test("is the node's on the host's network", () =>
    assert.equal(
      hostsText(pod({ hostNetwork: true }), [], 'd', '1 x\n'),
      '# Kubernetes-managed hosts file (host network).\n1 x\n',
    ));
});

describe('DNS of pods', () => {
  const node = {
    dns: { servers: ['10.96.0.10'], domain: 'cluster.local' },
    hostDns: { servers: ['1.1.1.1'], searches: ['example.com'], options: ['edns0'] },
  };
  const of = (spec: Partial<PodSpec>, at = node) => {
    const told: string[] = [];
    return { ...podDns(pod(spec), at, (reason, text) => told.push(`${reason}: ${text}`)), told };
  };
  const cluster = {
    servers: ['10.96.0.10'],
    searches: ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.com'],
    options: ['ndots:5'],
    told: [],
  };
  const host = { ...node.hostDns, told: [] };
  test('by policy', () => {
    assert.deepEqual(of({}), cluster);
    assert.deepEqual(of({ hostNetwork: true }), host);
    assert.deepEqual(of({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }), cluster);
    assert.deepEqual(of({ dnsPolicy: 'Default' }), host);
    assert.deepEqual(of({ dnsPolicy: 'None', dnsConfig: { nameservers: ['9.9.9.9'] } }), {
      ...{ servers: ['9.9.9.9'], searches: [], options: [], told: [] },
    });
  });
  test("a pod's own settings come after, its options in place of the same ones", () => {
    const dnsConfig = {
      nameservers: ['9.9.9.9'],
      searches: ['x', 'cluster.local'],
      options: [{ name: 'ndots', value: '2' }, { name: 'a' }],
    };
    const got = of({ dnsConfig });
    assert.deepEqual(got.servers, ['10.96.0.10', '9.9.9.9']);
    assert.deepEqual(got.searches, [...cluster.searches, 'x']);
    assert.deepEqual(got.options, ['ndots:2', 'a']);
  });
  test('what a resolver would not take is left out and told', () => {
    const dnsConfig = { nameservers: ['2', '3', '4'], searches: Array.from({ length: 31 }, (_, i) => `s${i}`) };
    const got = of({ dnsConfig });
    assert.deepEqual(got.servers, ['10.96.0.10', '2', '3']);
    assert.equal(got.searches.length, 32);
    assert.match(got.told[0] ?? '', /^DNSConfigForming: Nameserver limits were exceeded/);
    assert.match(got.told[1] ?? '', /^DNSConfigForming: Search Line limits were exceeded/);
  });
  test('without cluster DNS a pod has the node s', () => {
    const got = of({}, { ...node, dns: { servers: [], domain: 'd' } });
    assert.deepEqual(got.servers, ['1.1.1.1']);
    assert.match(got.told[0] ?? '', /^MissingClusterDNS: pod: "p_ns\(u\)"/);
  });
});

describe('sysctls', () => {
  const table: [string, Partial<PodSpec>, string | null][] = [
    ['kernel.shm_rmid_forced', {}, null],
    ['kernel/shm_rmid_forced', {}, null],
    ['kernel.msgmax', {}, 'forbidden sysctl: "kernel.msgmax" not allowlisted'],
    [
      'kernel.shm_rmid_forced',
      { hostIPC: true },
      'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host IPC enabled',
    ],
    [
      'net.ipv4.tcp_syncookies',
      { hostNetwork: true },
      'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host Net enabled',
    ],
    ['net.ipv4.tcp_rmem', {}, null],
  ];
  for (const [name, spec, why] of table)
    test(`${name} ${JSON.stringify(spec)}`, () =>
      assert.equal(
        forbiddenSysctl(pod({ ...spec, securityContext: { sysctls: [{ name, value: '1' }] } }), '5.10.1-x'),
        why,
      ));
  test('what the kernel is too old for is not allowed', () =>
    assert.match(
      forbiddenSysctl(pod({ securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem', value: '1' }] } }), '4.14.0') ??
        '',
      /not allowlisted/,
    ));
});

describe('resources', () => {
  const one = pod({
    containers: [c('a', { cpu: '100m', memory: '100Mi' }, { cpu: '1', memory: '200Mi' }), c('b', { cpu: '50m' })],
  });
  test('of a container: shares, quota, memory, huge pages, whom the kernel ends first', () => {
    const [a, b] = one.spec.containers as [Container, Container];
    assert.deepEqual(containerResources(one, a, MACHINE), {
      cpuShares: 102,
      cpuPeriod: 100_000,
      cpuQuota: 100_000,
      memoryLimitInBytes: 200 * 1024 ** 2,
      oomScoreAdj: 900,
      hugepageLimits: [
        { pageSize: '2MB', limit: 0 },
        { pageSize: '1GB', limit: 0 },
      ],
    });
    assert.equal(containerResources(one, b, MACHINE).cpuQuota, 0);
    assert.equal(oomScore(one, b, MACHINE.memoryBytes), 999);
    assert.equal(containerResources(pod({}), c('x', {}, { cpu: '5m' }), MACHINE).cpuQuota, 1000);
    assert.equal(containerResources(pod({}), c('x', {}, { cpu: '2' }), MACHINE).cpuShares, 2048);
    const huge = containerResources(pod({}), c('x', {}, { 'hugepages-2Mi': '4Mi' }), MACHINE).hugepageLimits;
    assert.deepEqual(huge?.[0], { pageSize: '2MB', limit: 4 * 1024 ** 2 });
  });
  test('of a pod as a whole: its own, else the sum or the highest init step, and overhead', () => {
    const side: Container = { ...c('side', { cpu: '1' }), restartPolicy: 'Always' };
    const p = pod({
      initContainers: [c('i', { cpu: '5' }), side],
      containers: [c('a', { cpu: '2' }, { cpu: '3' })],
      overhead: { cpu: '100m' },
    });
    assert.deepEqual(texts(podTotal(p, 'requests')), { cpu: '5100m' });
    assert.deepEqual(texts(podTotal(p, 'limits')), { cpu: '3100m' });
    const whole = pod({ ...p.spec, resources: { requests: { cpu: '4' } } });
    assert.deepEqual(texts(podTotal(whole, 'requests')), { cpu: '4100m' });
  });
  test("of a pod's cgroup by its class", () => {
    assert.deepEqual(podCgroup(pod({ containers: [c('a')] })), { cpuShares: 2 });
    assert.deepEqual(podCgroup(one), { cpuShares: 153 });
    const full = c('a', { cpu: '1', memory: '1Mi' }, { cpu: '1', memory: '1Mi' });
    const guaranteed = { cpuShares: 1024, cpuPeriod: 100_000, cpuQuota: 100_000, memoryBytes: 1024 ** 2 };
    assert.deepEqual(podCgroup(pod({ containers: [full] })), guaranteed);
    assert.deepEqual(podCgroup(pod({ containers: [full, c('b', {}, { cpu: '1' })] })), {
      cpuShares: 1024,
      cpuPeriod: 100_000,
      cpuQuota: 200_000,
    });
  });
  const classes: [string, Pod, string][] = [
    ['nothing', pod({ containers: [c('a')] }), 'BestEffort'],
    ['requests alone', pod({ containers: [c('a', { cpu: '1' })] }), 'Burstable'],
    ['CPU alone', pod({ containers: [c('a', { cpu: '1' }, { cpu: '1' })] }), 'Burstable'],
    ['both equal', pod({ containers: [c('a', { cpu: '1', memory: '1' }, { cpu: '1', memory: '1' })] }), 'Guaranteed'],
    [
      'as a whole',
      pod({
        resources: { limits: { cpu: '1', memory: '1' }, requests: { cpu: '1', memory: '1' } },
        containers: [c('a')],
      }),
      'Guaranteed',
    ],
  ];
  for (const [what, p, is] of classes) test(`${what} is ${is}`, () => assert.equal(qosOf(p), is));

  const down = { podIPs: [], hostIPs: [], allocatable: { cpu: '4', memory: '8Gi', 'hugepages-2Mi': '4Mi' } };
  const values: [string, string | undefined, string][] = [
    ['limits.cpu', undefined, '1'],
    ['requests.cpu', '1m', '100'],
    ['requests.memory', '1Mi', '100'],
    ['limits.memory', '1Gi', '1'],
    ['limits.ephemeral-storage', undefined, '0'],
    ['limits.hugepages-2Mi', undefined, '0'],
  ];
  for (const [resource, divisor, is] of values)
    test(`${resource} in ${divisor ?? '1'} is ${is}`, () =>
      assert.equal(
        resourceValue(one, { resource, ...(divisor ? { divisor } : {}) }, one.spec.containers[0], down),
        is,
      ));
  test("a limit that is missing is the pod's, or the node's", () => {
    const ask = (p: Pod, resource: string) => resourceValue(p, { resource }, p.spec.containers[0], down);
    assert.equal(ask(pod({ containers: [c('a', {}, { cpu: '0' })] }), 'limits.cpu'), '4');
    assert.equal(ask(pod({ containers: [c('a')], resources: { limits: { cpu: '2' } } }), 'limits.cpu'), '2');
    assert.throws(() => ask(one, 'limits.example.com/x'), /unsupported container resource : limits.example.com\/x/);
  });
});

describe('security contexts', () => {
  const of = (
    spec: Partial<PodSpec>,
    securityContext: Container['securityContext'] = {},
    image: { uid?: number; name: string } = { name: '' },
  ) => containerSecurity(pod(spec), { name: 'c', image: 'i', securityContext }, image, undefined);
  test("a container's own goes before the pod's, and the image's user comes last", () => {
    const whole = {
      securityContext: {
        runAsUser: 1,
        runAsGroup: 2,
        fsGroup: 3,
        supplementalGroups: [4],
        supplementalGroupsPolicy: 'Strict' as const,
      },
    };
    const got = of(whole, { runAsUser: 9 }, { name: 'app' });
    assert.deepEqual([got.runAsUser, got.runAsUsername, got.runAsGroup], [9, undefined, 2]);
    assert.deepEqual([got.supplementalGroups, got.supplementalGroupsPolicy], [[3, 4], 'Strict']);
    assert.equal(of({}, {}, { name: 'app' }).runAsUsername, 'app');
    assert.equal(of({}, {}, { name: '', uid: 7 }).runAsUser, 7);
  });
  test('profiles', () => {
    assert.deepEqual(of({}).seccomp, { profileType: 'Unconfined' });
    assert.deepEqual(of({ securityContext: { seccompProfile: { type: 'RuntimeDefault' } } }).seccomp, {
      profileType: 'RuntimeDefault',
    });
    assert.deepEqual(of({}, { seccompProfile: { type: 'Localhost', localhostProfile: 'a/b.json' } }).seccomp, {
      profileType: 'Localhost',
      localhostRef: '/var/lib/kubelet/seccomp/a/b.json',
    });
    const armed = { appArmorProfile: { type: 'Localhost' as const, localhostProfile: 'x' } };
    assert.deepEqual(of({}, armed).apparmor, { profileType: 'Localhost', localhostRef: 'x' });
    const asks = pod({ containers: [{ name: 'c', image: 'i', securityContext: armed }] });
    assert.equal(
      refusedAppArmor(asks, () => false),
      'Cannot enforce AppArmor: AppArmor is not enabled on the host',
    );
    assert.equal(
      refusedAppArmor(asks, () => true),
      null,
    );
  });
  test('an unmasked /proc has nothing masked', () => {
    assert.ok(of({}).maskedPaths?.includes('/proc/kcore'));
    assert.deepEqual(
      [of({}, { procMount: 'Unmasked' }).maskedPaths, of({}, { procMount: 'Unmasked' }).readonlyPaths],
      [undefined, undefined],
    );
  });
  test('namespaces, and the target of an ephemeral container', () => {
    assert.equal(of({}).namespaceOptions?.pid, 'CONTAINER');
    assert.equal(of({ shareProcessNamespace: true }).namespaceOptions?.pid, 'POD');
    assert.equal(of({ hostPID: true }).namespaceOptions?.pid, 'NODE');
    const aimed = containerSecurity(pod({}), c('e'), { name: '' }, 'id-of-target').namespaceOptions;
    assert.deepEqual([aimed?.pid, aimed?.targetId], ['TARGET', 'id-of-target']);
    assert.equal(
      containerSecurity(pod({ shareProcessNamespace: true }), c('e'), { name: '' }, 'x').namespaceOptions?.pid,
      'POD',
    );
  });
});
