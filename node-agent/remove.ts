import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { restoreBefore } from './install/before.ts';
import { configPathOf } from './install/config.ts';
import { startContainerd } from './install/containerd.ts';
import { findProgram } from './install/machine.ts';
import { mountsUnder, removeContainerd, removePods, unmountAll } from './install/remove.ts';
import { kernelCgroups } from './kubelet/cgroups.ts';
import { removeDeadLinks } from './kubelet/loglinks.ts';
import { machineMounter } from './kubelet/volumes/mounter.ts';
import { removeAllPods } from './kubelet/volumes/teardown.ts';
import { removeLinks, vxlanDevice } from './network/cni/links.ts';
import { heldDevice, removeHeld } from './network/held.ts';
import { nftables } from './network/proxy/nftables.ts';
import { tableName } from './network/proxy/start.ts';
import { beforeFile, podsCgroup, readSettings, type Settings } from './settings.ts';

// Ends every pod that an agent with these settings has left on this machine, its containerd, and what that keeps (images); what it changed on the machine is put back.

/** Everything is tried, also after something failed; the first failure is thrown at the end. */
async function removeNode(s: Settings): Promise<void> {
  const failures: unknown[] = [];
  const step = (f: () => Promise<unknown>) => f().catch((e: unknown) => failures.push(e));
  const uids = await readdir(join(s.stateDir, 'pods')).catch(() => []);
  await step(() => removeHeld(heldDevice(s.bridge)));
  await step(() => removeTable(s));
  if (s.criSocket === undefined)
    await step(() => removeLinks(vxlanDevice(s.bridge), join(s.stateDir, 'cni', 'routes.json')));
  await step(() => removeRuntime(s, uids));
  await step(() => removeAllPods(s.stateDir, machineMounter));
  await step(async () => {
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    await unmountAll(mountsUnder(mounts, [s.stateDir, s.runDir]));
  });
  await step(() => removeGroups(s, uids));
  await step(() => removeLogs(s, uids));
  await step(() => rm(s.runDir, { recursive: true, force: true }));
  await step(() => restoreBefore(beforeFile(s)));
  await step(() => rm(beforeFile(s), { force: true }));
  if (failures.length > 0) throw failures[0];
}

async function removeTable(s: Settings): Promise<void> {
  if (findProgram('nft') === null) return;
  const env = { now: () => Date.now(), after: () => () => undefined, log: () => undefined };
  await nftables({ table: tableName(s.url, s.node), env }).remove();
}

/** A runtime that was there before us keeps what others run in it. */
async function removeRuntime(s: Settings, uids: readonly string[]): Promise<void> {
  if (s.criSocket !== undefined) {
    if (existsSync(s.criSocket)) await removePods(s.criSocket, (uid) => uids.includes(uid));
    return;
  }
  const dirs = { rootDir: join(s.stateDir, 'containerd'), stateDir: s.runDir };
  const program = findProgram('containerd');
  // Without its configuration no agent has prepared this machine: nothing of it runs.
  if (program === null || !existsSync(configPathOf(dirs))) return;
  const network = { name: s.bridge, podCidrs: s.podCIDRs, dataDir: join(s.stateDir, 'cni') };
  await removeContainerd(await startContainerd(program, dirs), dirs, network);
}

async function removeGroups(s: Settings, uids: readonly string[]): Promise<void> {
  const cgroups = kernelCgroups();
  for (const uid of uids)
    for (const tier of ['', 'burstable', 'besteffort']) await cgroups.remove(join(podsCgroup(s), tier, `pod${uid}`));
}

/** Logs of our pods: other agents have theirs in the same folder. */
async function removeLogs(s: Settings, uids: readonly string[]): Promise<void> {
  for (const name of await readdir(s.logDir).catch(() => []))
    if (uids.some((uid) => name.endsWith(`_${uid}`))) await rm(join(s.logDir, name), { recursive: true });
  await removeDeadLinks(s.logDir);
  if (dirname(s.logDir) === s.stateDir) await rm(join(s.stateDir, 'containers'), { recursive: true, force: true });
}

const path = process.argv[2];
if (path === undefined || path === '--help') {
  console.error(
    'usage: remove.ts SETTINGS.json: ends the pods of a node whose agent has stopped, and takes away what it made',
  );
  process.exit(path === undefined ? 2 : 0);
}
await removeNode(readSettings(path));
