import { timeToMillis } from '../../../kube/meta/time.ts';
import type { Summary } from './summary.ts';

type Labels = Record<string, string>;
type Row = [labels: Labels, value: number | undefined];
interface Family {
  name: string;
  help: string;
  type: 'counter' | 'gauge';
  rows: Row[];
}

/** Prometheus' text format: one family after the other; what isn't known is left out. */
export function printMetrics(families: readonly Family[]): string {
  const label = (text: string) => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
  const out: string[] = [];
  for (const f of families) {
    const rows = f.rows.filter(([, value]) => value !== undefined);
    if (rows.length === 0) continue;
    out.push(`# HELP ${f.name} ${f.help}`, `# TYPE ${f.name} ${f.type}`);
    for (const [labels, value] of rows) {
      const text = Object.entries(labels).map(([k, v]) => `${k}="${label(v)}"`);
      out.push(`${f.name}${text.length > 0 ? `{${text.join(',')}}` : ''} ${value}`);
    }
  }
  return `${out.join('\n')}\n`;
}

const NANOS = 1e9;
const seconds = (nanos: number | undefined) => (nanos === undefined ? undefined : nanos / NANOS);

/** kubelet's /metrics/resource: what metrics-server reads. */
export function resourceMetrics(s: Summary): string {
  const counter = (name: string, help: string, rows: Row[]): Family => ({ name, help, type: 'counter', rows });
  const gauge = (name: string, help: string, rows: Row[]): Family => ({ name, help, type: 'gauge', rows });
  const containers = s.pods.flatMap((p) =>
    p.containers.map((c) => ({ c, of: { container: c.name, namespace: p.podRef.namespace, pod: p.podRef.name } })),
  );
  const pods = s.pods.map((p) => ({ p, of: { namespace: p.podRef.namespace, pod: p.podRef.name } }));
  return printMetrics([
    counter(
      'container_cpu_usage_seconds_total',
      'Cumulative cpu time consumed by the container in core-seconds',
      containers.map(({ c, of }) => [of, seconds(c.cpu.usageCoreNanoSeconds)]),
    ),
    gauge(
      'container_memory_working_set_bytes',
      'Current working set of the container in bytes',
      containers.map(({ c, of }) => [of, c.memory.workingSetBytes]),
    ),
    gauge(
      'container_start_time_seconds',
      'Start time of the container since unix epoch in seconds',
      containers.map(({ c, of }) => [of, timeToMillis(c.startTime) / 1000]),
    ),
    counter('node_cpu_usage_seconds_total', 'Cumulative cpu time consumed by the node in core-seconds', [
      [{}, seconds(s.node.cpu.usageCoreNanoSeconds)],
    ]),
    gauge('node_memory_working_set_bytes', 'Current working set of the node in bytes', [
      [{}, s.node.memory.workingSetBytes],
    ]),
    counter(
      'pod_cpu_usage_seconds_total',
      'Cumulative cpu time consumed by the pod in core-seconds',
      pods.map(({ p, of }) => [of, seconds(p.cpu.usageCoreNanoSeconds)]),
    ),
    gauge(
      'pod_memory_working_set_bytes',
      'Current working set of the pod in bytes',
      pods.map(({ p, of }) => [of, p.memory.workingSetBytes]),
    ),
    gauge('resource_scrape_error', '1 if there was an error while getting container metrics, 0 otherwise', [[{}, 0]]),
  ]);
}

/** kubelet's /metrics/cadvisor, as far as CRI tells it. */
export function containerMetrics(s: Summary): string {
  const rows = (of: (c: Summary['pods'][number]['containers'][number]) => number | undefined): Row[] =>
    s.pods.flatMap((p) =>
      p.containers.map((c): Row => [{ container: c.name, namespace: p.podRef.namespace, pod: p.podRef.name }, of(c)]),
    );
  const gauge = (name: string, help: string, r: Row[]): Family => ({ name, help, type: 'gauge', rows: r });
  return printMetrics([
    {
      name: 'container_cpu_usage_seconds_total',
      help: 'Cumulative cpu time consumed in seconds.',
      type: 'counter',
      rows: rows((c) => seconds(c.cpu.usageCoreNanoSeconds)),
    },
    gauge(
      'container_memory_usage_bytes',
      'Current memory usage in bytes.',
      rows((c) => c.memory.usageBytes),
    ),
    gauge(
      'container_memory_working_set_bytes',
      'Current working set in bytes.',
      rows((c) => c.memory.workingSetBytes),
    ),
    gauge(
      'container_memory_rss',
      'Size of RSS in bytes.',
      rows((c) => c.memory.rssBytes),
    ),
    gauge(
      'container_fs_usage_bytes',
      'Bytes that are used by the container.',
      rows((c) => c.rootfs.usedBytes),
    ),
    gauge(
      'container_start_time_seconds',
      'Start time of the container since unix epoch in seconds.',
      rows((c) => timeToMillis(c.startTime) / 1000),
    ),
    gauge('machine_memory_bytes', 'Amount of memory installed on the machine.', [
      [{}, (s.node.memory.availableBytes ?? 0) + (s.node.memory.workingSetBytes ?? 0)],
    ]),
  ]);
}
