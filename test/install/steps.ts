import assert from 'node:assert/strict';
import type { FreshMachine } from './machine.ts';
import type { ForwardProxy } from './proxy.ts';

export interface Trial {
  machine: FreshMachine;
  proxy: ForwardProxy;
  registry: string;
  /** The first address of the range of Services. */
  api: string;
  /** More options of the first `up`. */
  options: readonly string[];
  say(line: string): void;
}

const HOME = '/root/.coracle';

/** Brings a cluster up on a fresh machine, runs a pod, does all of it again, ends it, and starts it once more with no way out. */
export async function tryMachine({ machine, proxy, registry, api, options, say }: Trial): Promise<void> {
  const way = { http_proxy: proxy.url, https_proxy: proxy.url };
  const timed = async (what: string, f: () => Promise<unknown>) => {
    const [began, bytes] = [Date.now(), proxy.bytes()];
    await f();
    say(
      `== ${what}: ${((Date.now() - began) / 1_000).toFixed(1)} s, ${((proxy.bytes() - bytes) / 1e6).toFixed(0)} MB from outside`,
    );
  };
  const packages = async () =>
    (await machine.exec(['dpkg-query', '--show', '--showformat', `\${Package}\n`])).trim().split('\n');
  const before = await packages();
  const up = (...more: string[]) => ['./coracle', 'up', '--mirror', `registry.test=${registry}`, ...options, ...more];
  const script = (text: string) =>
    machine.exec(['bash', '-euc', `export KUBECONFIG=${HOME}/kubeconfig PATH=$PATH:${HOME}/bin; ${text}`]);

  let said = '';
  await timed('up on a fresh machine', async () => {
    said = await machine.exec(up(), { env: way, say });
  });
  assert.match(said, /kubeconfig: \/root\/\.coracle\/kubeconfig/);
  const after = await packages();
  say(`packages: ${before.length} before, and now ${after.filter((p) => !before.includes(p)).join(' ')}`);
  assert.equal(after.includes('nodejs') || after.includes('npm'), false, "the system's Node.js is not our business");

  assert.match(await script('kubectl get nodes --no-headers'), /^fresh +Ready /);
  await timed('a pod', () =>
    script(
      'kubectl run hello --image=registry.test/busybox:1 --restart=Never -- sh -c "nslookup kubernetes.default.svc.cluster.local; echo hello" && kubectl wait --for=jsonpath={.status.phase}=Succeeded pod/hello --timeout=60s',
    ),
  );
  const log = await script('kubectl logs hello');
  assert.match(log, new RegExp(`Address[^\\n]*${api}\\n[^]*hello\\n$`));
  await script(
    'kubectl run stays --image=registry.test/busybox:1 -- sleep 100000 && kubectl wait --for=condition=Ready pod/stays --timeout=60s',
  );

  const processes = () => script(`pgrep -f 'workerd serve|coracle-node.js run|containerd --config' | sort -n`);
  const running = await processes();
  await timed('up again', () => machine.exec(up(), { env: way, say }));
  await timed('up again, with no options', () => machine.exec(['./coracle', 'up'], { say }));
  assert.equal(await processes(), running, 'nothing was started anew');

  await timed('down --keep-pods', () => machine.exec(['./coracle', 'down', '--keep-pods'], { say }));
  // Somebody else's containerd, with a container.
  const image = `${registry.replace('http://', '')}/busybox:1`;
  await script(`setsid containerd >/var/log/theirs.log 2>&1 </dev/null & for i in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
    ctr images pull --plain-http ${image} >/dev/null && ctr run --detach --null-io ${image} theirs sleep 100000`);
  const theirs = () =>
    script(
      'pgrep -x containerd | xargs -I{} grep -lzx containerd /proc/{}/cmdline; ctr tasks ls; ctr images ls -q; ctr namespaces ls -q; ls /etc/containerd 2>/dev/null || true',
    );
  const alone = await theirs();
  assert.match(alone, /theirs +[0-9]+ +RUNNING/);
  await proxy.close();
  await timed('up --offline, with no way out', () => machine.exec(['./coracle', 'up', '--offline'], { say }));
  assert.match(await script('kubectl get pod stays --no-headers'), /^stays +1\/1 +Running +0 /);
  assert.equal(await theirs(), alone, 'the containerd that was there goes on as it was');
  await timed('down', () => machine.exec(['./coracle', 'down'], { say }));
  assert.equal(await theirs(), alone);
  assert.equal(
    await script(`pgrep -fa 'workerd|/root/.coracle' | grep -v pgrep || true`),
    '',
    'nothing of ours is left',
  );
}
