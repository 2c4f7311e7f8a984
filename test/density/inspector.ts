import { WebSocket } from 'ws';

interface Reply {
  id?: number;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: { message: string };
}
export interface CpuProfile {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
    children?: number[];
  }[];
  startTime: number;
  endTime: number;
  samples: number[];
  /** Microseconds between samples. */
  timeDeltas: number[];
}

/** The isolate of a workerd that was started with --inspector-addr. */
export class Inspector {
  readonly #ws: WebSocket;
  readonly #waiting = new Map<number, (r: Reply) => void>();
  #ids = 0;
  /** workerd has no default one. */
  #context = '';

  private constructor(ws: WebSocket) {
    this.#ws = ws;
    ws.on('message', (data) => {
      const reply = JSON.parse(String(data)) as Reply;
      if (reply.method === 'Runtime.executionContextCreated')
        this.#context = (reply.params as { context: { uniqueId: string } }).context.uniqueId;
      if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
    });
  }

  static async connect(port: number): Promise<Inspector> {
    const list = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as { webSocketDebuggerUrl: string }[];
    const ws = new WebSocket(list[0]?.webSocketDebuggerUrl ?? '', { maxPayload: 2 ** 31 - 1 });
    await new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject));
    const inspector = new Inspector(ws);
    await inspector.send('Runtime.enable');
    return inspector;
  }

  send<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#ids;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (reply) => {
        this.#waiting.delete(id);
        if (reply.error) reject(new Error(`${method}: ${reply.error.message}`));
        else resolve(reply.result as T);
      });
      this.#ws.send(JSON.stringify({ id, method, params }));
    });
  }

  /** Live objects by the name of their class, after a garbage collection. */
  async live(classes: readonly string[]): Promise<Record<string, number>> {
    type Remote = { result: { objectId: string; value?: string }; exceptionDetails?: { text: string } };
    const root = await this.send<Remote>('Runtime.evaluate', {
      expression: 'Object.prototype',
      uniqueContextId: this.#context,
    });
    const found = await this.send<{ objects: { objectId: string } }>('Runtime.queryObjects', {
      prototypeObjectId: root.result.objectId,
      objectGroup: 'live',
    });
    const counted = await this.send<Remote>('Runtime.callFunctionOn', {
      objectId: found.objects.objectId,
      functionDeclaration: `function (names) {
        const counts = {};
        for (const n of names) counts[n] = 0;
        for (const o of this) {
          let c;
          try { c = Object.getPrototypeOf(o)?.constructor?.name } catch { continue }
          if (c in counts && !Object.hasOwn(o, 'constructor')) counts[c]++;
        }
        return JSON.stringify(counts);
      }`,
      arguments: [{ value: classes }],
      returnByValue: true,
    });
    await this.send('Runtime.releaseObjectGroup', { objectGroup: 'live' });
    if (counted.result.value === undefined) throw new Error(`live: ${counted.exceptionDetails?.text}`);
    return JSON.parse(counted.result.value) as Record<string, number>;
  }

  async beginProfile(intervalUs: number): Promise<void> {
    await this.send('Profiler.enable');
    await this.send('Profiler.setSamplingInterval', { interval: intervalUs });
    await this.send('Profiler.start');
  }
  async endProfile(): Promise<CpuProfile> {
    return (await this.send<{ profile: CpuProfile }>('Profiler.stop')).profile;
  }

  close(): void {
    this.#ws.close();
  }
}
