import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { Registries } from './install/registries.ts';

/** The agent's configuration file: written by `coracle up` and by the install script, read once at start. */
export const Settings = v.object({
  /** The cluster's URL. */
  url: v.pipe(v.string(), v.url()),
  caFile: v.optional(v.string()),
  tokenFile: v.string(),
  node: v.pipe(
    v.string(),
    v.regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'node: a DNS subdomain is needed'),
    v.maxLength(253),
  ),
  /** Pods, volumes, images. */
  stateDir: v.string(),
  /** Sockets and running state. */
  runDir: v.string(),
  /** The kubelet's usual place, where log collectors look. */
  logDir: v.optional(v.string(), '/var/log/pods'),
  /** Addresses of this machine, the first one preferred. */
  addresses: v.pipe(v.array(v.string()), v.minLength(1)),
  /** Absent: the cluster gives the node one. */
  podCIDRs: v.optional(v.array(v.string()), []),
  /** Name of the pod network and of the devices that this agent makes: agents that share a machine have different ones. */
  bridge: v.optional(v.string(), 'coracle0'),
  /** A CRI runtime that is there already (path or unix:// URL): packages, containerd and pod network are somebody else's then. */
  criSocket: v.optional(
    v.pipe(
      v.string(),
      v.transform((s) => s.replace(/^unix:\/\//, '')),
      v.startsWith('/', 'criSocket: a path or a unix:// URL is needed'),
    ),
  ),
  /** The cgroup under which the pods' own (`kubepods`) is made: the kubelet's --cgroup-root. */
  cgroupRoot: v.optional(v.pipe(v.string(), v.startsWith('/', 'cgroupRoot: an absolute path is needed')), '/'),
  /** Name servers of pods with dnsPolicy Default, and what cluster DNS asks. */
  resolvConf: v.optional(v.string(), '/etc/resolv.conf'),
  /** False: another program (kube-proxy) serves Services on this machine. */
  proxy: v.optional(v.boolean(), true),
  /** False: this node holds no addresses of Services, neither DNS nor the API: another node's agent has this machine's network too. */
  services: v.optional(v.boolean(), true),
  /** Files of pods that run whatever the API says: the kubelet's --pod-manifest-path. */
  staticPods: v.optional(v.pipe(v.string(), v.startsWith('/', 'staticPods: an absolute path is needed'))),
  /** How long a pressure (of disk, memory) stays after it was seen last: the kubelet's evictionPressureTransitionPeriod. */
  pressureSeconds: v.optional(v.pipe(v.number(), v.minValue(0)), 300),
  labels: v.optional(v.record(v.string(), v.string()), {}),
  dns: v.optional(v.object({ servers: v.array(v.string()), domain: v.string() }), {
    servers: [],
    domain: 'cluster.local',
  }),
  /** Registry host -> URLs asked instead. */
  mirrors: v.optional(v.record(v.string(), v.array(v.string())), {}),
  /** Mirrors, TLS and credentials of registries, as k3s's registries.yaml has them. */
  registries: v.optional(Registries),
});
export type Settings = v.InferOutput<typeof Settings>;

/** Where is noted what the machine was like before. */
export const beforeFile = (s: Settings): string => join(s.stateDir, 'before.json');

/** The cgroup of all pods, as the runtime is told it. */
export const podsCgroup = (s: Settings): string => join(s.cgroupRoot, 'kubepods');

/** Reads the file; the error names what is wrong in it. */
export function readSettings(path: string): Settings {
  const parsed = v.safeParse(Settings, JSON.parse(readFileSync(path, 'utf8')));
  if (!parsed.success) throw new Error(`${path}: ${v.summarize(parsed.issues)}`);
  const s = parsed.output;
  if (s.criSocket !== undefined && s.registries !== undefined)
    throw new Error(`${path}: registries: a container runtime that is there already has its own`);
  return s;
}
