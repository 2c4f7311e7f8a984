import { type Taint, termMatches, tolerates } from '../../kube/kinds/podspec/fit.ts';
import { milliValue, type Quantity, quantity, wholeValue } from '../../kube/meta/quantity.ts';
import { isSidecar, type Pod } from './pod.ts';
import { podTotal } from './resources.ts';
import { refusedAppArmor } from './security.ts';
import { forbiddenSysctl } from './sysctls.ts';

/** What a refusal is judged by: this node as the API has it. */
export interface NodeView {
  name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  allocatable: Readonly<Record<string, string>>;
  /** The kernel's release. */
  kernel: string;
  /** The runtime can leave out the image's own groups (supplementalGroupsPolicy Strict). */
  strictGroups: boolean;
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
  if (pod.spec.securityContext?.supplementalGroupsPolicy === 'Strict' && !node.strictGroups) {
    return refused(
      'SupplementalGroupsPolicyNotSupported',
      'SupplementalGroupsPolicy=Strict is not supported in this node',
    );
  }
  const sysctl = forbiddenSysctl(pod, node.kernel);
  if (sysctl !== null) return refused('SysctlForbidden', sysctl);
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
  const apparmor = refusedAppArmor(pod);
  return apparmor === null ? null : refused('AppArmor', apparmor);
}
const refused = (reason: string, message: string): Refusal => ({ reason, message: `Pod was rejected: ${message}` });

/** A resource in the unit that the scheduler counts it in: CPU in thousandths, all else whole. */
const count = (name: string, q: Quantity): number => (name === 'cpu' ? milliValue(q) : wholeValue(q));
const amount = (name: string, text: string | undefined): number => count(name, quantity(text));

/** What a pod asks for of a resource. */
export const requestOf = (pod: Pod, name: string): number =>
  count(name, podTotal(pod, 'requests').get(name) ?? quantity(0));

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
