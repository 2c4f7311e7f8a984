import type { Column } from '../../codec/table.ts';
import type { JsonObject } from '../../meta/json.ts';
import type { KubeObject } from '../../meta/object.ts';
import { bool, has, list, num, obj, objs, str } from '../access.ts';
import { age, name, since, spec, status, text } from './column.ts';

/** What `kubectl get pods` shows. */
export const POD_COLUMNS: readonly Column[] = [
  name(),
  text('Ready', (o) => {
    const s = podSummary(o);
    return `${s.ready}/${s.total}`;
  }),
  text('Status', (o) => podSummary(o).reason),
  text('Restarts', (o, now) => {
    const s = podSummary(o);
    return s.restarts !== 0 && s.lastRestart !== ''
      ? `${s.restarts} (${since(s.lastRestart, now)} ago)`
      : `${s.restarts}`;
  }),
  age,
  text('IP', (o) => str(obj(list(status(o).podIPs)[0]).ip) || '<none>', true),
  text('Node', (o) => str(spec(o).nodeName) || '<none>', true),
  text('Nominated Node', (o) => str(status(o).nominatedNodeName) || '<none>', true),
  text('Readiness Gates', readinessGates, true),
];

interface Summary {
  ready: number;
  total: number;
  restarts: number;
  lastRestart: string;
  reason: string;
}
const condition = (o: KubeObject, type: string) => objs(status(o).conditions).find((c) => c.type === type);
const lastFinish = (c: JsonObject) => str(obj(obj(c.lastState).terminated).finishedAt);
const later = (a: string, b: string) => (b > a ? b : a);

/** Readiness, restarts and the one-word state of a pod: printPod. */
function podSummary(o: KubeObject): Summary {
  const s = status(o);
  const inits = new Map(objs(spec(o).initContainers).map((c) => [str(c.name), c]));
  const sidecar = (c: JsonObject) => obj(inits.get(str(c.name))).restartPolicy === 'Always';
  const total =
    list(spec(o).containers).length + [...inits.values()].filter((c) => c.restartPolicy === 'Always').length;
  let reason = str(s.reason) || str(s.phase);
  if (objs(s.conditions).some((c) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated')) {
    reason = 'SchedulingGated';
  }
  const out: Summary = { ready: 0, total, restarts: 0, lastRestart: '', reason };
  const initializing = initState(objs(s.initContainerStatuses), sidecar, inits.size, out);
  if (!initializing || condition(o, 'Initialized')?.status === 'True') {
    const sidecars = objs(s.initContainerStatuses).filter(sidecar);
    out.restarts = sidecars.reduce((n, c) => n + num(c.restartCount), 0);
    out.lastRestart = sidecars.reduce((t, c) => later(t, lastFinish(c)), '');
    mainState(o, out);
  }
  if (has(o.metadata.deletionTimestamp)) {
    if (s.reason === 'NodeLost') out.reason = 'Unknown';
    else if (s.phase !== 'Failed' && s.phase !== 'Succeeded') out.reason = 'Terminating';
  }
  return out;
}

function initState(statuses: JsonObject[], sidecar: (c: JsonObject) => boolean, count: number, out: Summary): boolean {
  for (const [i, c] of statuses.entries()) {
    out.restarts += num(c.restartCount);
    out.lastRestart = later(out.lastRestart, lastFinish(c));
    const { terminated, waiting } = obj(c.state);
    const ended = obj(terminated);
    if (has(terminated) && num(ended.exitCode) === 0) continue;
    if (sidecar(c) && bool(c.started)) {
      if (bool(c.ready)) out.ready++;
      continue;
    }
    const waits = str(obj(waiting).reason);
    if (has(terminated)) out.reason = `Init:${str(ended.reason) || exitText(ended)}`;
    else if (waits !== '' && waits !== 'PodInitializing') out.reason = `Init:${waits}`;
    else out.reason = `Init:${i}/${count}`;
    return true;
  }
  return false;
}
const exitText = (ended: JsonObject) =>
  num(ended.signal) !== 0 ? `Signal:${num(ended.signal)}` : `ExitCode:${num(ended.exitCode)}`;

function mainState(o: KubeObject, out: Summary): void {
  let running = false;
  let failed = '';
  for (const c of objs(status(o).containerStatuses).reverse()) {
    out.restarts += num(c.restartCount);
    out.lastRestart = later(out.lastRestart, lastFinish(c));
    const { terminated, waiting, running: runs } = obj(c.state);
    const waits = str(obj(waiting).reason);
    if (waits !== '') out.reason = waits;
    else if (has(terminated)) {
      out.reason = str(obj(terminated).reason) || exitText(obj(terminated));
      if (num(obj(terminated).exitCode) !== 0) failed = out.reason;
    } else if (bool(c.ready) && has(runs)) {
      running = true;
      out.ready++;
    }
  }
  if (out.reason !== 'Completed') return;
  if (running && condition(o, 'Ready')?.status === 'True') out.reason = 'Running';
  else if (failed !== '') out.reason = failed;
  else if (running) out.reason = 'NotReady';
}

function readinessGates(o: KubeObject): string {
  const gates = objs(spec(o).readinessGates);
  if (gates.length === 0) return '<none>';
  const met = gates.filter((g) => condition(o, str(g.conditionType))?.status === 'True').length;
  return `${met}/${gates.length}`;
}
