import { type Env, sleep } from '../../kube/meta/env.ts';
import type { RuntimeError } from './error.ts';
import type { Runtime } from './runtime.ts';

/** What can be made to fail or be slow. */
export type FakeMethod = Exclude<keyof Runtime, 'close'>;

/** Keeps what was called, and makes calls fail or take time as a test has asked. */
export class FakeCalls {
  /** Every call, in order: the method and its first argument where that is an id or a name. */
  readonly made: string[] = [];
  readonly #env: Env;
  readonly #failures = new Map<FakeMethod, RuntimeError[]>();
  readonly #delays = new Map<FakeMethod, number>();

  constructor(env: Env) {
    this.#env = env;
  }

  fail(method: FakeMethod, error: RuntimeError, times: number): void {
    const list = this.#failures.get(method) ?? [];
    for (let i = 0; i < times; i++) list.push(error);
    this.#failures.set(method, list);
  }

  delay(method: FakeMethod, ms: number): void {
    this.#delays.set(method, ms);
  }

  /** What each call begins with. */
  async enter(method: FakeMethod, arg = ''): Promise<void> {
    this.made.push(arg ? `${method} ${arg}` : method);
    const ms = this.#delays.get(method);
    if (ms) await sleep(this.#env, ms);
    const failure = this.#failures.get(method)?.shift();
    if (failure) throw failure;
  }
}
