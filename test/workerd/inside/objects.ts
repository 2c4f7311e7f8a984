import type { Env } from '../../../kube/meta/env.ts';
import { world } from '../../../workers/env.ts';
import { makeTenantStore } from '../../../workers/tenant/object.ts';

interface Bindings {
  TENANT: DurableObjectNamespace<TestTenant>;
}

/** The platform's clock, moved on by what tests ask for; timers that come due by that run at once. */
class MovedClock {
  #offsetMs = 0;
  readonly #timers = new Set<{ atMs: number; run: () => void }>();
  readonly env: Env = {
    ...world,
    now: () => world.now() + this.#offsetMs,
    after: (ms, f) => {
      const timer = { atMs: this.env.now() + ms, run: () => {} };
      const cancel = world.after(ms, () => timer.run());
      timer.run = () => {
        cancel();
        if (this.#timers.delete(timer)) f();
      };
      this.#timers.add(timer);
      return () => {
        cancel();
        this.#timers.delete(timer);
      };
    },
  };

  advance(ms: number): void {
    this.#offsetMs += ms;
    for (const t of [...this.#timers]) {
      if (t.atMs > this.env.now()) continue;
      try {
        t.run();
      } catch {
        // A timer of an object that was killed: the platform doesn't let it touch its sockets any more.
        this.#timers.delete(t);
      }
    }
  }
}

// One object runs at a time in these tests, and a test's clock outlives its object's restarts.
const clock = new MovedClock();
/** Wake-ups that objects sent, newest last. */
export const wakes: string[] = [];

/** The tenant object with a clock that can be moved and a way to kill it. */
export class TestTenant extends makeTenantStore<Bindings>({
  objects: (env) => env.TENANT,
  env: clock.env,
  async wake(_env, cluster, loop, revision) {
    wakes.push(`${cluster} ${loop} ${revision}`);
  },
}) {
  async advance(ms: number): Promise<void> {
    clock.advance(ms);
    // Alarms were set for the moved time: a moved clock makes them due, repeatedly when they ask to be called again.
    for (let i = 0; i < 5; i++) await this.alarm();
  }

  crash(): void {
    this.ctx.abort('a test kills this object');
  }
}
