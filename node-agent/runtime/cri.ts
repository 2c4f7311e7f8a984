import * as grpc from '@grpc/grpc-js';
import { decode, encode } from './codec.ts';
import { CODES, isNotFound, RuntimeError } from './error.ts';
import type * as cri from './messages.ts';
import type { AttachRequest, ExecRequest, ImageStore, Runtime } from './runtime.ts';

/** The kubelet's runtimeRequestTimeout. */
const REQUEST_TIMEOUT_MS = 120_000;
/** The kubelet's limit on one CRI message: cri-client pkg/remote_runtime.go maxMsgSize. */
const MESSAGE_BYTES_MAX = 16 << 20;
/** The kubelet's bounds on reconnecting: a restarted containerd must be found again within seconds. */
const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 3_000;

interface CallOptions {
  /** null: no deadline. */
  timeoutMs?: number | null;
  signal?: AbortSignal;
}
type Call = <T>(method: string, request: object, o?: CallOptions) => Promise<T>;

function asRuntimeError(e: grpc.ServiceError): RuntimeError {
  return new RuntimeError(CODES[e.code] ?? 'Unknown', e.details);
}

function caller(client: grpc.Client, service: string): Call {
  return <T>(method: string, request: object, o: CallOptions = {}) =>
    new Promise<T>((resolve, reject) => {
      if (o.signal?.aborted) return reject(new RuntimeError('Canceled', 'context canceled'));
      const timeout = o.timeoutMs === undefined ? REQUEST_TIMEOUT_MS : o.timeoutMs;
      const abort = () => call.cancel();
      const call = client.makeUnaryRequest(
        `/runtime.v1.${service}/${method}`,
        (r: object) => encode(`${method}Request`, r),
        (b: Buffer) => decode(`${method}Response`, b) as T,
        request,
        new grpc.Metadata(),
        timeout === null ? {} : { deadline: Date.now() + timeout },
        (err, value) => {
          o.signal?.removeEventListener('abort', abort);
          if (err) reject(asRuntimeError(err));
          else resolve(value as T);
        },
      );
      o.signal?.addEventListener('abort', abort, { once: true });
    });
}

async function ignoreNotFound(p: Promise<unknown>): Promise<void> {
  try {
    await p;
  } catch (e) {
    if (!isNotFound(e)) throw e; // CRI demands silence; containerd 1.6 answers NotFound to a stop
  }
}

function runtimeOver(call: Call, close: () => void): Runtime {
  return {
    version: () => call<cri.VersionResponse>('Version', { version: '0.1.0' }),
    status: (verbose = false) => call<cri.StatusResponse>('Status', { verbose }),
    async cgroupDriver() {
      try {
        const r = await call<{ linux?: { cgroupDriver: cri.CgroupDriver } }>('RuntimeConfig', {});
        return r.linux?.cgroupDriver ?? null;
      } catch (e) {
        if (e instanceof RuntimeError && e.code === 'Unimplemented') return null;
        throw e;
      }
    },
    async updateRuntimeConfig(podCidr) {
      await call('UpdateRuntimeConfig', { runtimeConfig: { networkConfig: { podCidr } } });
    },

    async runPodSandbox(config, handler = '') {
      // Twice the usual time, as the kubelet gives it: the sandbox image may have to be pulled first.
      const o = { timeoutMs: REQUEST_TIMEOUT_MS * 2 };
      const r = await call<{ podSandboxId: string }>('RunPodSandbox', { config, runtimeHandler: handler }, o);
      return r.podSandboxId;
    },
    stopPodSandbox: (id) => ignoreNotFound(call('StopPodSandbox', { podSandboxId: id })),
    removePodSandbox: (id) => ignoreNotFound(call('RemovePodSandbox', { podSandboxId: id })),
    podSandboxStatus: (id, verbose = false) =>
      call<cri.PodSandboxStatusResponse>('PodSandboxStatus', { podSandboxId: id, verbose }),
    async listPodSandbox(filter) {
      return (await call<{ items: cri.PodSandbox[] }>('ListPodSandbox', { filter })).items;
    },
    async updatePodSandboxResources(id, r) {
      await call('UpdatePodSandboxResources', { podSandboxId: id, ...r });
    },

    async createContainer(sandboxId, config, sandboxConfig) {
      const r = await call<{ containerId: string }>('CreateContainer', {
        podSandboxId: sandboxId,
        config,
        sandboxConfig,
      });
      return r.containerId;
    },
    async startContainer(id) {
      await call('StartContainer', { containerId: id });
    },
    stopContainer: (id, graceSeconds) =>
      ignoreNotFound(
        call(
          'StopContainer',
          { containerId: id, timeout: graceSeconds },
          { timeoutMs: REQUEST_TIMEOUT_MS + graceSeconds * 1000 },
        ),
      ),
    removeContainer: (id) => ignoreNotFound(call('RemoveContainer', { containerId: id })),
    async containerStatus(id) {
      return (await call<{ status: cri.ContainerStatus }>('ContainerStatus', { containerId: id })).status;
    },
    async listContainers(filter) {
      return (await call<{ containers: cri.Container[] }>('ListContainers', { filter })).containers;
    },
    async updateContainerResources(id, linux, annotations) {
      await call('UpdateContainerResources', { containerId: id, linux, annotations });
    },
    async reopenContainerLog(id) {
      await call('ReopenContainerLog', { containerId: id });
    },

    execSync: (id, cmd, timeoutSeconds = 0) =>
      call<cri.ExecSyncResult>(
        'ExecSync',
        { containerId: id, cmd, timeout: timeoutSeconds },
        { timeoutMs: timeoutSeconds === 0 ? null : REQUEST_TIMEOUT_MS + timeoutSeconds * 1000 },
      ),
    exec: async (r: ExecRequest) => (await call<{ url: string }>('Exec', r)).url,
    attach: async (r: AttachRequest) => (await call<{ url: string }>('Attach', r)).url,
    portForward: async (sandboxId, ports) =>
      (await call<{ url: string }>('PortForward', { podSandboxId: sandboxId, port: ports })).url,

    containerStats: async (id) =>
      (await call<{ stats: cri.ContainerStats }>('ContainerStats', { containerId: id })).stats,
    listContainerStats: async (filter) =>
      (await call<{ stats: cri.ContainerStats[] }>('ListContainerStats', { filter })).stats,
    podSandboxStats: async (id) =>
      (await call<{ stats: cri.PodSandboxStats }>('PodSandboxStats', { podSandboxId: id })).stats,
    listPodSandboxStats: async (filter) =>
      (await call<{ stats: cri.PodSandboxStats[] }>('ListPodSandboxStats', { filter })).stats,
    close,
  };
}

function imagesOver(call: Call): ImageStore {
  return {
    listImages: async () => (await call<{ images: cri.Image[] }>('ListImages', {})).images,
    imageStatus: async (image) => (await call<{ image?: cri.Image }>('ImageStatus', { image })).image ?? null,
    pullImage: async (image, { auth, sandbox, signal } = {}) => {
      const o: CallOptions = signal ? { timeoutMs: null, signal } : { timeoutMs: null };
      return (await call<{ imageRef: string }>('PullImage', { image, auth, sandboxConfig: sandbox }, o)).imageRef;
    },
    removeImage: (image) => ignoreNotFound(call('RemoveImage', { image })),
    imageFsInfo: () => call<cri.ImageFsInfo>('ImageFsInfo', {}),
  };
}

/** containerd, or any CRI v1 runtime, at a unix socket's path. Connects on the first call and again after a loss. */
export function connectCri(socketPath: string): { runtime: Runtime; images: ImageStore } {
  const client = new grpc.Client(`unix:${socketPath}`, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.initial_reconnect_backoff_ms': RECONNECT_MS_MIN,
    'grpc.max_reconnect_backoff_ms': RECONNECT_MS_MAX,
    'grpc.enable_retries': 0,
    // Two connections to one path (a test's runtimes after one another) must not share a socket.
    'grpc.use_local_subchannel_pool': 1,
  });
  return {
    runtime: runtimeOver(caller(client, 'RuntimeService'), () => client.close()),
    images: imagesOver(caller(client, 'ImageService')),
  };
}
