import type { SchedulerPlugin } from '../framework.ts';

const ANY = '0.0.0.0';

/** A port on one address conflicts with the same port on all addresses, and the other way round. */
function conflicts(wanted: string, used: { has(port: string): boolean; keys(): Iterable<string> }): boolean {
  const [protocol, ip, port] = parts(wanted);
  if (used.has(wanted) || used.has(`${protocol}/${ANY}/${port}`)) return true;
  if (ip !== ANY) return false;
  for (const u of used.keys()) {
    const [p, , n] = parts(u);
    if (p === protocol && n === port) return true;
  }
  return false;
}
const parts = (text: string) => text.split('/');

export const nodeports: SchedulerPlugin<readonly string[]> = {
  name: 'NodePorts',
  retryOn: {
    node: (_, before, after) => before === undefined && after !== undefined,
    pod(pod, before, after) {
      if (before === undefined || after !== undefined) return false;
      const freed = new Set(before.ports);
      return pod.ports.some((p) => conflicts(p, freed));
    },
  },
  prepare: ({ ports }) => (ports.length === 0 ? null : ports),
  filter: (ports, node) =>
    ports.some((p) => conflicts(p, node.ports))
      ? { reasons: ["node(s) didn't have free ports for the requested pod ports"] }
      : undefined,
};
