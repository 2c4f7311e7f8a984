import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Env } from '../../kube/meta/env.ts';
import { RuntimeError } from '../runtime/error.ts';
import type { Image, PodSandboxConfig } from '../runtime/messages.ts';
import { rememberedServices } from './checkpoint.ts';
import { containerConfig, logDirectory } from './container.ts';
import { pullCredentials } from './credentials.ts';
import { ConfigError, type Downward, environment } from './env.ts';
import { runHook } from './hook.ts';
import { showImages } from './imagevolumes.ts';
import { linkLog } from './loglinks.ts';
import { containerMounts, type MountInputs } from './mounts.ts';
import type { WorkerParts } from './parts.ts';
import { type Container, type Pod, podText, uidOf } from './pod.ts';
import { serviceVariables } from './serviceenv.ts';
import { isStatic } from './staticpods.ts';

type Tell = (type: 'Normal' | 'Warning', reason: string, message: string, container?: string) => void;

/** What starting a container of one pod needs. */
export interface Starting
  extends Pick<
    WorkerParts,
    | 'runtime'
    | 'images'
    | 'imageMounts'
    | 'refs'
    | 'node'
    | 'root'
    | 'services'
    | 'machine'
    | 'mounter'
    | 'recursiveReadOnly'
  > {
  env: Env;
  down: Downward;
  podIPs: readonly string[];
  sandbox: { id: string; config: PodSandboxConfig };
  /** Volumes that are ready. */
  volumes: MountInputs['volumes'];
  /** Of an ephemeral container: the one whose processes it sees; '' when there is none of that name. */
  target: string | undefined;
  event: Tell;
  /** The container is about to be made with the pod's resources. */
  made(): Promise<void>;
  /** Aborts when the pod is to end: what takes long is given up. */
  signal: AbortSignal;
}

/** The pod was to end before the container had been started. */
export class Interrupted extends Error {}

/** `work`, unless `signal` aborts before it is done: then it goes on by itself. */
async function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new Interrupted());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => undefined);
    aborted.catch(() => undefined);
  }
}

/** The id of a container whose postStart hook has failed: it is to be stopped. */
export class HookError extends ConfigError {
  readonly id: string;
  constructor(id: string, message: string) {
    super(message, 'PostStartHookError');
    this.id = id;
  }
}

/** The runtime's own words, without the gRPC frame: what upstream shows of a failed call. */
const words = (e: unknown) => (e instanceof RuntimeError ? e.desc : e instanceof Error ? e.message : String(e));

/** Makes and starts one run of a container; returns once its postStart hook is through. Throws ConfigError with the waiting reason, its event told. */
export async function startContainer(pod: Pod, c: Container, attempt: number, s: Starting): Promise<void> {
  const event: Tell = (type, reason, message) => s.event(type, reason, message, c.name);
  const fails = async <T>(reason: string, f: () => Promise<T>): Promise<T> => {
    try {
      return await f();
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const e = error instanceof ConfigError ? error : new ConfigError(words(error), reason);
      // An image that can't be had is an event of its own (images.ts); here upstream adds only the reason.
      const text = /Image|ErrImage/.test(e.reason) ? `Error: ${e.reason}` : `Error: ${e.message}`;
      event('Warning', 'Failed', text);
      throw e;
    }
  };
  const { config } = s.sandbox;
  const auth = (image: string) => pullCredentials(pod, image, s.refs);
  const pull = { uid: uidOf(pod), sandbox: config, auth, event };
  const image = await fails('ErrImagePull', () => unless(s.signal, s.images.ensure(c, pull)));
  await fails('CreateContainerError', () =>
    unless(s.signal, showImages(pod, c, { ...s, pull: { ...pull, event: s.event } })),
  );
  const made = await fails('CreateContainerConfigError', () => inputs(pod, c, attempt, image, s));
  await s.made();
  const id = await fails('CreateContainerError', () =>
    s.runtime.createContainer(s.sandbox.id, containerConfig(pod, c, attempt, made), config),
  );
  event('Normal', 'Created', 'Container created');
  await fails('RunContainerError', () => s.runtime.startContainer(id));
  s.env.log('debug', 'container.started', { pod: pod.metadata.name, container: c.name });
  event('Normal', 'Started', 'Container started');
  const log = join(logDirectory(s.node.logRoot, pod), c.name, `${attempt}.log`);
  await linkLog(s.node.logRoot, pod, c.name, id, log).catch((error: unknown) =>
    s.env.log('info', 'log.link.failed', { pod: pod.metadata.name, error: String(error) }),
  );
  const hook = c.lifecycle?.postStart;
  if (!hook) return;
  const why = await unless(s.signal, runHook(hook, pod, c, id, s.podIPs[0] ?? '', s.runtime, s.env));
  if (why === '') return;
  // The event doesn't tell the output: it may hold secrets.
  event('Warning', 'FailedPostStartHook', 'PostStartHook failed');
  throw new HookError(id, why);
}

async function inputs(pod: Pod, c: Container, attempt: number, image: Image, s: Starting) {
  if (s.target === '') {
    const name = pod.spec.ephemeralContainers?.find((e) => e.name === c.name)?.targetContainerName;
    throw new ConfigError(`unable to find target container ${name}`);
  }
  refuseRoot(pod, c, image);
  await mkdir(logDirectory(s.node.logRoot, pod), { recursive: true, mode: 0o755 });
  const { down, podIPs, root, refs, volumes, mounter, machine } = s;
  const volume = async (name: string) => {
    const path = volumes.get(name)?.path;
    if (path !== undefined) return path;
    throw new ConfigError(`cannot find the volume ${JSON.stringify(name)} referenced by FileKeyRef`);
  };
  const links = pod.spec.enableServiceLinks ?? true;
  const variables = async (patient: boolean) => {
    const all = (await s.services(patient && !isStatic(pod))) ?? (isStatic(pod) ? [] : undefined);
    return all && serviceVariables(all, pod.metadata.namespace ?? '', links);
  };
  const services = await rememberedServices(variables, root, uidOf(pod));
  const envs = await environment(pod, c, { refs, down, services, volume });
  const wanted = (c.volumeMounts ?? []).some((m) => m.recursiveReadOnly);
  const recursiveReadOnly = wanted && (await s.recursiveReadOnly(pod.spec.runtimeClassName ?? ''));
  const log = s.env.log;
  const mounts = await containerMounts(pod, c, {
    attempt,
    envs,
    podIPs,
    domain: s.node.dns.domain,
    root,
    volumes,
    mounter,
    recursiveReadOnly,
    log,
  });
  const imageUser = { name: image.username, ...(image.uid === undefined ? {} : { uid: image.uid }) };
  const { target } = s;
  return { imageRef: image.id, imageUser, envs, mounts, machine, ...(target ? { target } : {}) };
}

/** runAsNonRoot: kubelet's verifyRunAsNonRoot with its texts. */
function refuseRoot(pod: Pod, c: Container, image: { uid?: number; username: string }): void {
  if (!(c.securityContext?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot)) return;
  const user = c.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  const whose = `(pod: "${podText(pod)}", container: ${c.name})`;
  if (user === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${whose}`);
  if (user !== undefined) return;
  if (image.username !== '') {
    const text = `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`;
    throw new ConfigError(`${text} ${whose}`);
  }
  if (!image.uid) throw new ConfigError(`container has runAsNonRoot and image will run as root ${whose}`);
}
