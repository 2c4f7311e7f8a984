import { type Taint, termMatches, tolerates } from '../../kube/kinds/podspec/fit.ts';
import { milliValue, parseQuantity, wholeValue, ZERO } from '../../kube/meta/quantity.ts';
import { type Container, isSidecar, type Pod } from './pod.ts';

/** What a refusal is judged by: this node as the API has it. */
export interface NodeView {
  name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  allocatable: Readonly<Record<string, string>>;
}
export interface Refusal {
  reason: string;
  message: string;
}

/** Reasons of resources: lifecycle/predicate.go. */
const OUT_OF = 'OutOf';

/**
 * Why this node doesn't take a pod, null when it does: kubelet's predicate admission. `others` are the pods that it has
 * already taken and that haven't ended. Resources come first, then the node's own facts.
 */
export function refusal(pod: Pod, node: NodeView, others: readonly Pod[]): Refusal | null {
  if (pod.spec.os !== undefined && pod.spec.os.name !== 'linux') {
    return refused('PodOSNotSupported', "Failed to admit pod as the OS field doesn't match node OS");
  }
  const short = shortOf(pod, node, others);
  if (short !== null) {
    const text = `Node didn't have enough resource: ${short.name}, requested: ${short.asked}, used: ${short.used}, capacity: ${short.capacity}`;
    return refused(`${OUT_OF}${short.name}`, text);
  }
  const failed = (name: string, text: string) => refused(name, `Predicate ${name} failed: ${text}`);
  if (!matchesNode(pod, node)) return failed('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== node.name)
    return failed('NodeName', "node(s) didn't match the requested node name");
  if (portsTaken(pod, others)) return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  if (node.taints.some((t) => t.effect === 'NoExecute' && !(pod.spec.tolerations ?? []).some((x) => tolerates(x, t))))
    return failed('TaintToleration', "node(s) had taints that the pod didn't tolerate");
  return null;
}
const refused = (reason: string, message: string): Refusal => ({ reason, message: `Pod was rejected: ${message}` });

/** A resource in the unit that the scheduler counts it in: CPU in thousandths, all else whole. */
function amount(name: string, text: string | undefined): number {
  const q = text === undefined ? ZERO : (parseQuantity(text) ?? ZERO);
  return name === 'cpu' ? milliValue(q) : wholeValue(q);
}

/** What a pod asks for: the sum of its containers and sidecars, or the largest init container with the sidecars before it. */
export function requestOf(pod: Pod, name: string): number {
  const own = pod.spec.resources?.requests?.[name];
  const overhead = amount(name, pod.spec.overhead?.[name]);
  if (own !== undefined) return amount(name, own) + overhead;
  const of = (c: Container) => amount(name, c.resources?.requests?.[name]);
  let sidecars = 0;
  let largest = 0;
  for (const c of pod.spec.initContainers ?? []) {
    largest = Math.max(largest, sidecars + of(c));
    if (isSidecar(c)) sidecars += of(c);
  }
  const main = pod.spec.containers.reduce((sum, c) => sum + of(c), 0);
  return Math.max(main + sidecars, largest) + overhead;
}

function shortOf(pod: Pod, node: NodeView, others: readonly Pod[]) {
  const places = amount('pods', node.allocatable.pods);
  if (others.length + 1 > places) return { name: 'pods', asked: 1, used: others.length, capacity: places };
  for (const [name, text] of Object.entries(node.allocatable)) {
    const asked = name === 'pods' ? 0 : requestOf(pod, name);
    if (asked === 0) continue;
    const used = others.reduce((sum, o) => sum + requestOf(o, name), 0);
    const capacity = amount(name, text);
    if (asked > capacity - used) return { name, asked, used, capacity };
  }
  return null;
}

function matchesNode(pod: Pod, node: NodeView): boolean {
  if (Object.entries(pod.spec.nodeSelector ?? {}).some(([k, v]) => node.labels[k] !== v)) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((t) => termMatches(t, node));
}

interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}
function hostPorts(pod: Pod): HostPort[] {
  return [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers].flatMap((c) =>
    (c.ports ?? []).flatMap((p) => {
      const port = p.hostPort ?? (pod.spec.hostNetwork ? p.containerPort : 0);
      return port === 0 ? [] : [{ ip: p.hostIP || '0.0.0.0', protocol: p.protocol ?? 'TCP', port }];
    }),
  );
}
function portsTaken(pod: Pod, others: readonly Pod[]): boolean {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return false;
  const taken = others.flatMap(hostPorts);
  const all = '0.0.0.0';
  return wanted.some((w) =>
    taken.some(
      (t) => t.port === w.port && t.protocol === w.protocol && (t.ip === w.ip || t.ip === all || w.ip === all),
    ),
  );
}
