import { isIPv6 } from 'node:net';

/** What a Service says to pods that start after it. */
export interface Service {
  namespace: string;
  name: string;
  /** Empty or `None`: no variables. */
  clusterIP: string;
  ports: readonly { name?: string; port: number; protocol?: string }[];
}
interface Variable {
  key: string;
  value: string;
}

/** Variables of this Service are everybody's, whatever a pod says about links. */
const MASTER = { namespace: 'default', name: 'kubernetes' };

/**
 * The variables that a pod of `namespace` finds its Services by: `default/kubernetes` always, all of its own namespace with `links`. A Service of
 * that name in the pod's own namespace goes before the one in default: kubelet's getServiceEnvVarMap.
 */
export function serviceVariables(services: readonly Service[], namespace: string, links: boolean): Variable[] {
  const found = new Map<string, Service>();
  for (const s of services) {
    if (s.clusterIP === '' || s.clusterIP === 'None') continue;
    const master = s.namespace === MASTER.namespace && s.name === MASTER.name;
    if (master && found.has(s.name)) continue;
    if (master || (s.namespace === namespace && links)) found.set(s.name, s);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap(variablesOf);
}

const variableName = (text: string) => text.replaceAll('-', '_').toUpperCase();

/** pkg/kubelet/envvars FromServices: host and ports, then Docker's link variables. */
function variablesOf(s: Service): Variable[] {
  const name = variableName(s.name);
  const [first] = s.ports;
  const out: Variable[] = [{ key: `${name}_SERVICE_HOST`, value: s.clusterIP }];
  if (first) out.push({ key: `${name}_SERVICE_PORT`, value: String(first.port) });
  for (const p of s.ports)
    if (p.name) out.push({ key: `${name}_SERVICE_PORT_${variableName(p.name)}`, value: String(p.port) });
  const host = isIPv6(s.clusterIP) ? `[${s.clusterIP}]` : s.clusterIP;
  for (const [i, p] of s.ports.entries()) {
    const protocol = p.protocol || 'TCP';
    const url = `${protocol.toLowerCase()}://${host}:${p.port}`;
    if (i === 0) out.push({ key: `${name}_PORT`, value: url });
    const of = `${name}_PORT_${p.port}_${protocol.toUpperCase()}`;
    out.push(
      { key: of, value: url },
      { key: `${of}_PROTO`, value: protocol.toLowerCase() },
      { key: `${of}_PORT`, value: String(p.port) },
      { key: `${of}_ADDR`, value: s.clusterIP },
    );
  }
  return out;
}
