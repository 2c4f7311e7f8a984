import type { Env } from '../../kube/meta/env.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ActualContainer, Failed, Verdicts } from './actions.ts';
import type { PodActual } from './actual.ts';
import { allContainers, type Container, isInit, isSidecar, type Pod } from './pod.ts';
import { type ProbeKind, ProbeState, runProbe } from './probe.ts';

const KINDS: readonly ProbeKind[] = ['startupProbe', 'livenessProbe', 'readinessProbe'];
const NAMES: Record<ProbeKind, string> = {
  startupProbe: 'Startup',
  livenessProbe: 'Liveness',
  readinessProbe: 'Readiness',
};

/** kubelet's kubeletRestartGracePeriod: a container this much older than the agent was there before it. */
const RESTART_GRACE_MS = 10_000;

/** Takes a warning of a probe: its reason and its text. */
type Tell = (reason: 'Unhealthy' | 'ProbeWarning', text: string, container: string) => void;

interface Running {
  containerId: string;
  state: ProbeState;
  cancel: () => void;
}

/** Runs the probes of one pod's containers and keeps their verdicts. Restarts them with each new container. */
export class Prober {
  readonly #runtime: Runtime;
  readonly #env: Env;
  readonly #startedMs: number;
  readonly #changed: () => void;
  readonly #tell: Tell;
  #probes = new Map<string, Running>();
  #podIP = '';

  /** `startedMs`: when this agent began. What ran well before keeps its verdicts until its probes have spoken. */
  constructor(runtime: Runtime, env: Env, startedMs: number, changed: () => void, tell: Tell) {
    this.#runtime = runtime;
    this.#env = env;
    this.#startedMs = startedMs;
    this.#changed = changed;
    this.#tell = tell;
  }

  /** Starts and stops probes so that exactly the running containers' probes run; liveness and readiness wait for startup. */
  update(pod: Pod, actual: PodActual): void {
    this.#podIP = actual.podIPs[0] ?? this.#podIP;
    const wanted = new Set<string>();
    const ending = pod.metadata.deletionTimestamp !== undefined;
    for (const c of allContainers(pod)) {
      const a = actual.containers.get(c.name);
      if (a?.state !== 'running' || (isInit(pod, c) && !isSidecar(c))) continue;
      const started =
        c.startupProbe === undefined || this.#probes.get(`${c.name}/startupProbe`)?.state.verdict === true;
      for (const kind of KINDS) {
        const probe = c[kind];
        if (!probe || (kind !== 'startupProbe' && !started) || (ending && kind !== 'readinessProbe')) continue;
        const key = `${c.name}/${kind}`;
        wanted.add(key);
        const there = this.#probes.get(key);
        if (there?.containerId === a.id) continue;
        there?.cancel();
        const first = this.#earlier(pod, c.name, kind, a);
        const state = new ProbeState(kind, probe, first);
        const running: Running = { containerId: a.id, state, cancel: () => undefined };
        this.#probes.set(key, running);
        const delay = Math.max(0, (probe.initialDelaySeconds ?? 0) * 1000 - (this.#env.now() - a.startedMs));
        // An agent that has just begun doesn't probe all of its pods at once.
        const period = (probe.periodSeconds ?? 10) * 1000;
        const wait = delay + (this.#env.now() - this.#startedMs < period ? this.#env.random() * period : 0);
        if (!(kind === 'startupProbe' && first)) this.#schedule(key, running, c, wait);
      }
    }
    for (const [key, p] of this.#probes) {
      if (wanted.has(key)) continue;
      p.cancel();
      this.#probes.delete(key);
    }
  }

  /** The verdict that an agent before this one has left in the pod's status; undefined when the container began under this one. */
  #earlier(pod: Pod, name: string, kind: ProbeKind, a: ActualContainer): boolean | undefined {
    if (a.startedMs >= this.#startedMs - RESTART_GRACE_MS) return undefined;
    const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
    const s = all.find((x) => x.name === name && x.containerID?.endsWith(a.id));
    if (kind === 'readinessProbe') return s?.ready;
    return kind === 'startupProbe' && s?.started ? true : undefined;
  }

  verdicts(): Verdicts {
    const started = new Set<string>();
    const dead = new Map<string, Failed>();
    for (const [key, { state }] of this.#probes) {
      const name = key.slice(0, key.indexOf('/'));
      if (state.kind === 'startupProbe' && state.verdict === true) started.add(name);
      if (state.kind === 'startupProbe' && state.verdict === false) dead.set(name, 'startup');
      if (state.kind === 'livenessProbe' && state.verdict === false) dead.set(name, 'liveness');
    }
    return { started, dead };
  }

  /** Names of the containers whose readiness probe has passed. */
  ready(): Set<string> {
    return new Set(
      [...this.#probes]
        .filter(([, p]) => p.state.kind === 'readinessProbe' && p.state.verdict === true)
        .map(([k]) => k.slice(0, k.indexOf('/'))),
    );
  }

  stop(): void {
    for (const p of this.#probes.values()) p.cancel();
    this.#probes.clear();
  }

  #schedule(key: string, running: Running, c: Container, ms: number): void {
    running.cancel = this.#env.after(ms, async () => {
      const { probe, kind } = running.state;
      const result = await runProbe(probe, c, running.containerId, this.#podIP, this.#runtime);
      if (this.#probes.get(key) !== running) return; // the container has been replaced meanwhile
      const what = `${NAMES[kind]} probe`;
      const tell: (...told: [Parameters<Tell>[0], string]) => void = (...told) => this.#tell(...told, c.name);
      if (result.unknown) tell('Unhealthy', `${what} errored and resulted in unknown state: ${result.output}`);
      else if (!result.ok) tell('Unhealthy', `${what} failed: ${result.output}`);
      else if (result.warning) tell('ProbeWarning', `${what} warning: ${result.output}`);
      const changed = !result.unknown && running.state.take(result.ok);
      // A startup probe that has passed is over; a container that will be ended isn't probed again.
      const over = kind === 'startupProbe' ? running.state.verdict !== undefined : running.state.verdict === false;
      if (kind === 'readinessProbe' || !over) this.#schedule(key, running, c, (probe.periodSeconds ?? 10) * 1000);
      if (changed) this.#changed();
    });
  }
}
