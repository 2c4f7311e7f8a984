import type { Env } from '../../kube/meta/env.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Verdicts } from './actions.ts';
import type { PodActual } from './actual.ts';
import { allContainers, isSidecar, type Pod } from './pod.ts';
import { type ProbeKind, ProbeState, runHandler } from './probe.ts';

const KINDS: readonly ProbeKind[] = ['startupProbe', 'livenessProbe', 'readinessProbe'];
const NAMES: Record<ProbeKind, string> = {
  startupProbe: 'Startup',
  livenessProbe: 'Liveness',
  readinessProbe: 'Readiness',
};

interface Running {
  containerId: string;
  state: ProbeState;
  cancel: () => void;
}

/** Runs the probes of one pod's containers and keeps their verdicts. Restarts them with each new container. */
export class Prober {
  readonly #runtime: Runtime;
  readonly #env: Env;
  readonly #changed: () => void;
  readonly #unhealthy: (container: string, text: string) => void;
  #probes = new Map<string, Running>();
  #podIP = '';

  constructor(runtime: Runtime, env: Env, changed: () => void, unhealthy: (container: string, text: string) => void) {
    this.#runtime = runtime;
    this.#env = env;
    this.#changed = changed;
    this.#unhealthy = unhealthy;
  }

  /** Starts and stops probes so that exactly the running containers' probes run; liveness and readiness wait for startup. */
  update(pod: Pod, actual: PodActual): void {
    this.#podIP = actual.podIPs[0] ?? this.#podIP;
    const wanted = new Set<string>();
    const ending = pod.metadata.deletionTimestamp !== undefined;
    for (const c of allContainers(pod)) {
      const a = actual.containers.get(c.name);
      if (a?.state !== 'running' || (!isSidecar(c) && pod.spec.initContainers?.includes(c))) continue;
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
        const running: Running = { containerId: a.id, state: new ProbeState(kind, probe), cancel: () => undefined };
        this.#probes.set(key, running);
        const first = Math.max(0, (probe.initialDelaySeconds ?? 0) * 1000 - (this.#env.now() - a.startedMs));
        this.#schedule(key, running, c, first);
      }
    }
    for (const [key, p] of this.#probes) {
      if (wanted.has(key)) continue;
      p.cancel();
      this.#probes.delete(key);
    }
  }

  verdicts(): Verdicts {
    const started = new Set<string>();
    const dead = new Map<string, string>();
    for (const [key, { state }] of this.#probes) {
      const name = key.slice(0, key.indexOf('/'));
      if (state.kind === 'startupProbe' && state.verdict === true) started.add(name);
      if (state.kind === 'startupProbe' && state.verdict === false) dead.set(name, 'failed startup probe');
      if (state.kind === 'livenessProbe' && state.verdict === false) dead.set(name, 'failed liveness probe');
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

  #schedule(key: string, running: Running, c: Parameters<typeof runHandler>[1], ms: number): void {
    running.cancel = this.#env.after(ms, async () => {
      const { probe, kind } = running.state;
      const result = await runHandler(
        probe,
        c,
        running.containerId,
        this.#podIP,
        probe.timeoutSeconds ?? 1,
        this.#runtime,
      );
      if (this.#probes.get(key) !== running) return; // the container has been replaced meanwhile
      if (!result.ok) this.#unhealthy(c.name, `${NAMES[kind]} probe failed: ${result.output}`);
      const changed = running.state.take(result.ok);
      // A startup probe that has passed is over.
      if (!(kind === 'startupProbe' && running.state.verdict === true))
        this.#schedule(key, running, c, (probe.periodSeconds ?? 10) * 1000);
      if (changed) this.#changed();
    });
  }
}
