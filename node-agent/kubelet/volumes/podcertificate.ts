import type { Json, JsonObject } from '../../../kube/meta/json.ts';
import { timeToMillis } from '../../../kube/meta/time.ts';
import type { Api } from '../../api.ts';
import type { Pod, Projection } from '../pod.ts';
import { keyAndRequest } from './csr.ts';
import { pemBlocks, printPem } from './trustbundle.ts';

/** PodCertificateRequests of this node, as they are now. */
export interface CertificateRequests {
  certificateRequests(): Promise<readonly JsonObject[]>;
}

type Source = NonNullable<Projection['podCertificate']>;

/** A request that nobody shows any more after this was deleted: it is made anew. Not all of a node at the same moment. */
const ABANDON_MS = 600_000;
const JITTER_MS = 300_000;

/** A key, its certificates as PEM, and when they should be replaced. */
export interface Credential {
  key: string;
  chain: string;
  renewMs: number;
}

interface State {
  current?: Credential;
  waiting?: { key: string; name: string; abandonMs: number };
  refused?: string;
}

export interface CertificateParts {
  api: Pick<Api, 'get' | 'send'>;
  requests: CertificateRequests;
  node: string;
  nodeUid(): Promise<string>;
  now(): number;
  random(): number;
  tell(type: 'Warning', reason: string, message: string): void;
}

/** The certificates that a pod's volumes ask for: requested once, then again when they should be replaced; the old ones stay until then. */
export class PodCertificates {
  readonly #p: CertificateParts;
  readonly #states = new Map<string, State>();

  constructor(p: CertificateParts) {
    this.#p = p;
  }

  /** The credential of one projection; throws while there is none, with upstream's text. `key`: volume and index of the source. */
  async credential(pod: Pod, key: string, source: Source): Promise<Credential> {
    const state = this.#states.get(key) ?? {};
    this.#states.set(key, state);
    if (state.refused !== undefined) throw new Error(state.refused);
    if (state.waiting) await this.#look(pod, state);
    if (state.refused !== undefined) throw new Error(state.refused);
    if (!state.waiting && (!state.current || state.current.renewMs <= this.#p.now())) {
      await this.#ask(pod, source, state);
      // From now on it is followed: an answer brings the caller back.
      await this.#look(pod, state);
    }
    if (!state.current) throw new Error('credential bundle is not issued yet');
    return state.waiting ? { ...state.current, renewMs: Number.POSITIVE_INFINITY } : state.current;
  }

  async #look(pod: Pod, state: State): Promise<void> {
    const { waiting } = state;
    if (!waiting) return;
    const namespace = pod.metadata.namespace ?? '';
    const all = await this.#p.requests.certificateRequests();
    const found = all.find((r) => {
      const m = r.metadata as JsonObject;
      return m.name === waiting.name && m.namespace === namespace;
    });
    if (!found) {
      if (this.#p.now() > waiting.abandonMs) delete state.waiting;
      return;
    }
    const status = (found.status ?? {}) as JsonObject;
    for (const c of (status.conditions ?? []) as JsonObject[]) {
      const [type, reason, message] = [c.type, c.reason, c.message].map((x) => String(x ?? ''));
      const why = `reason=${JSON.stringify(reason)}, message=${JSON.stringify(message)}`;
      if (type === 'Denied' || type === 'Failed') {
        const word = type.toLowerCase();
        const text = `PodCertificateRequest ${namespace}/${waiting.name} ${type === 'Denied' ? 'was denied' : 'failed'}, ${why}`;
        this.#p.tell('Warning', type, text);
        state.refused = `PodCertificateRequest was permanently ${word}: ${why.replace(', ', ' ')}`;
      } else if (type === 'Issued') {
        const renewMs = timeToMillis(String(status.beginRefreshAt ?? '')) + this.#p.random() * JITTER_MS;
        const chain = pemBlocks(String(status.certificateChain ?? ''))
          .map(printPem)
          .join('');
        state.current = { key: waiting.key, chain, renewMs };
        delete state.waiting;
      }
    }
  }

  async #ask(pod: Pod, s: Source, state: State): Promise<void> {
    const { api, now, random } = this.#p;
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    const account = pod.spec.serviceAccountName ?? 'default';
    const { key, request } = await keyAndRequest(s.keyType ?? '');
    const found = await api.get(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}`);
    const spec: Record<string, Json> = {
      signerName: s.signerName ?? '',
      podName: name,
      podUID: uid,
      serviceAccountName: account,
      serviceAccountUID: String((found.metadata as JsonObject).uid),
      nodeName: this.#p.node,
      nodeUID: await this.#p.nodeUid(),
      stubPKCS10Request: request.toString('base64'),
    };
    if (s.maxExpirationSeconds !== undefined) spec.maxExpirationSeconds = s.maxExpirationSeconds;
    if (s.userAnnotations) spec.unverifiedUserAnnotations = s.userAnnotations;
    const made = await api.send('POST', `/apis/certificates.k8s.io/v1/namespaces/${namespace}/podcertificaterequests`, {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'PodCertificateRequest',
      metadata: { generateName: 'req-', namespace, ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid }] },
      spec,
    });
    const abandonMs = now() + ABANDON_MS + random() * JITTER_MS;
    state.waiting = { key, name: String((made.metadata as JsonObject).name), abandonMs };
  }
}
