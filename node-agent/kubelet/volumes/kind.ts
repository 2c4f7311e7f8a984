import type { NodeTerm } from '../../../kube/kinds/podspec/fit.ts';
import type { Downward, References } from '../env.ts';
import type { Pod, Volume } from '../pod.ts';
import type { Mounter } from './mounter.ts';
import type { PodCertificates } from './podcertificate.ts';
import type { TrustBundles } from './trustbundle.ts';

/** A signed token and when the next one should be asked for, in milliseconds since the epoch. */
export interface Token {
  text: string;
  renewMs: number;
}

/** A volume that can't even be tried: its event names all that the pod waits for. */
export class Unprocessed extends Error {}

/** What went wrong with a volume that has a name of its own, as the event says it. */
export class MountFailure extends Error {
  constructor(what: string, name: string, why: string) {
    super(`${what} for volume ${JSON.stringify(name)} : ${why}`);
  }
}

/** Signs a ServiceAccount token for a pod; the agent caches and renews it. */
export type TokenSource = (pod: Pod, audience: string | undefined, expirationSeconds: number) => Promise<Token>;

/** PersistentVolumes and their claims, as the API has them now. */
export interface Claims {
  claim(namespace: string, name: string): Promise<ClaimView>;
  volume(name: string): Promise<PersistentVolume>;
}
export interface ClaimView {
  metadata: { uid?: string; deletionTimestamp?: string; finalizers?: string[]; ownerReferences?: { uid: string }[] };
  spec: { volumeName?: string };
  status?: { phase?: string };
}
export interface PersistentVolume {
  metadata: { name?: string };
  spec: {
    volumeMode?: 'Filesystem' | 'Block';
    claimRef?: { uid?: string };
    nodeAffinity?: { required?: { nodeSelectorTerms: NodeTerm[] } };
    hostPath?: { path: string; type?: string };
    local?: { path: string; fsType?: string };
    [source: string]: unknown;
  };
}

/** What every volume of this node is made with. */
export interface VolumeParts {
  /** `<root>/pods/<uid>` is a pod's directory. */
  root: string;
  refs: References & TrustBundles;
  token: TokenSource;
  mounter: Mounter;
  claims: Claims;
  certificates: PodCertificates;
  /** Labels of this node: a PersistentVolume may be bound to some. */
  labels(): Promise<Readonly<Record<string, string>>>;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** One volume that is to be made. */
export interface VolumeContext extends VolumeParts {
  pod: Pod;
  down: Downward;
  /** Absolute; where this volume's own content is. */
  dir: string;
  /** Absolute; the kind's own notes about this volume. */
  notes: string;
  /** When what was written is out of date, in milliseconds since the epoch. */
  renew(ms: number): void;
}

/** A volume that is ready. */
export interface Mounted {
  /** On this machine. */
  path: string;
  /** Containers may not write, whatever their mount says. */
  readonly: boolean;
}

/** One source of a volume: what a volume's field of this name makes. */
export interface VolumeKind<S> {
  /** As in the names of directories: `kubernetes.io~<plugin>`. */
  plugin: string;
  /** It is made again when what it is made of has changed. */
  follows: boolean;
  /** Makes it, or brings it up to date; may be called at any time. The error's message is what the FailedMount event says after the volume's name. */
  setUp(source: S, volume: Volume, c: VolumeContext): Promise<Mounted>;
}
