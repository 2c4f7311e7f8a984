import { join } from 'node:path';

/** The sandbox image that Kubernetes 1.37 names: cmd/kubeadm/app/constants PauseVersion. */
export const SANDBOX_IMAGE = 'registry.k8s.io/pause:3.10.1';

/** A containerd of our own: everything it writes is under these directories, so it never meets the system's. */
export interface ContainerdDirs {
  /** Images, snapshots, metadata: survives a reboot. */
  rootDir: string;
  /** Sockets, running state, network namespaces: short (a socket's path ends at 107 bytes). */
  stateDir: string;
}

export interface ContainerdConfig extends ContainerdDirs {
  cniBinDir: string;
  snapshotter: 'overlayfs' | 'native';
  /** oom_score_adj can't be lowered here; containerd must not try. */
  restrictOomScoreAdj: boolean;
  /** systemd's scopes instead of plain cgroup directories. */
  systemdCgroup: boolean;
  sandboxImage: string;
}

export const socketOf = (d: ContainerdDirs) => join(d.stateDir, 'containerd.sock');
export const cniConfDirOf = (d: ContainerdDirs) => join(d.stateDir, 'cni');
export const registryDirOf = (d: ContainerdDirs) => join(d.rootDir, 'certs.d');
export const configPathOf = (d: ContainerdDirs) => join(d.stateDir, 'config.toml');
export const logPathOf = (d: ContainerdDirs) => join(d.stateDir, 'containerd.log');
export const pidPathOf = (d: ContainerdDirs) => join(d.stateDir, 'containerd.pid');

/** A TOML basic string is written as a JSON string. */
const q = (s: string) => JSON.stringify(s);

/** containerd's configuration, version 2: read by 1.6, 1.7 and 2.x alike. */
export function containerdToml(c: ContainerdConfig): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = ${q(c.rootDir)}
state = ${q(c.stateDir)}
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = ${q(socketOf(c))}
  max_recv_message_size = 16777216
  max_send_message_size = 16777216

[ttrpc]
  address = ${q(`${socketOf(c)}.ttrpc`)}

[plugins."io.containerd.internal.v1.opt"]
  path = ${q(join(c.rootDir, 'opt'))}

[${cri}]
  sandbox_image = ${q(c.sandboxImage)}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  restrict_oom_score_adj = ${c.restrictOomScoreAdj}
  netns_mounts_under_state_dir = true
  max_container_log_line_size = 16384
  tolerate_missing_hugetlb_controller = true

[${cri}.cni]
  bin_dir = ${q(c.cniBinDir)}
  conf_dir = ${q(cniConfDirOf(c))}
  max_conf_num = 1

[${cri}.registry]
  config_path = ${q(registryDirOf(c))}

[${cri}.containerd]
  snapshotter = ${q(c.snapshotter)}
  default_runtime_name = "runc"

[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[${cri}.containerd.runtimes.runc.options]
  SystemdCgroup = ${c.systemdCgroup}
`;
}

/**
 * hosts.toml of one registry: the URLs that are asked for it, first to last, and nothing else (name the registry itself
 * last to fall back on it). Plain http is spoken where the URL says so.
 */
export function hostsToml(urls: string[]): string {
  const hosts = urls.map((u) => `\n[host.${q(u)}]\n  capabilities = ["pull", "resolve"]\n`);
  return `server = ${q(urls.at(-1) ?? '')}\n${hosts.join('')}`;
}
