import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { configPathOf } from './install/config.ts';
import { startContainerd } from './install/containerd.ts';
import { findProgram } from './install/machine.ts';
import { removeContainerd } from './install/remove.ts';
import { machineMounter } from './kubelet/volumes/mounter.ts';
import { removeAllPods } from './kubelet/volumes/teardown.ts';
import { removeLinks, vxlanDevice } from './network/cni/links.ts';
import { heldDevice, removeHeld } from './network/held.ts';
import { nftables } from './network/proxy/nftables.ts';
import { tableName } from './network/proxy/start.ts';
import { readSettings } from './settings.ts';

// Ends every pod that an agent with these settings has left on this machine, its containerd, and what that keeps (images).
const path = process.argv[2];
if (path === undefined || path === '--help') {
  console.error('usage: remove.ts SETTINGS.json: ends the pods of a node whose agent has stopped');
  process.exit(path === undefined ? 2 : 0);
}
const s = readSettings(path);
await removeHeld(heldDevice(s.bridge));
if (findProgram('nft') !== null) {
  const env = { now: () => Date.now(), after: () => () => undefined, log: () => undefined };
  await nftables({ table: tableName(s.url, s.node), env }).remove();
}
if (s.criSocket === undefined) await removeLinks(vxlanDevice(s.bridge), join(s.stateDir, 'cni', 'routes.json'));
const dirs = { rootDir: join(s.stateDir, 'containerd'), stateDir: s.runDir };
const program = findProgram('containerd');
// A runtime that was there before us keeps what it runs; without its configuration no agent has prepared this machine: nothing of it runs.
if (s.criSocket === undefined && program !== null && existsSync(configPathOf(dirs))) {
  const network = { name: s.bridge, podCidrs: s.podCIDRs, dataDir: join(s.stateDir, 'cni') };
  await removeContainerd(await startContainerd(program, dirs), dirs, network);
  await removeAllPods(s.stateDir, machineMounter);
}
