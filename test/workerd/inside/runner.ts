import { DurableObject } from 'cloudflare:workers';
import { type Result, runFile } from './shim.ts';

declare global {
  /** The storage of the object in which tests run: a SQLite database on local disk. */
  var testStorage: DurableObjectStorage | undefined;
}

type Files = Record<string, () => Promise<unknown>>;

/** An object in which test files run, so that tests have a Durable Object's storage at hand. */
export function makeRunner(files: Files) {
  return class TestRunner extends DurableObject {
    override async fetch(request: Request): Promise<Response> {
      globalThis.testStorage = this.ctx.storage;
      const load = files[new URL(request.url).searchParams.get('file') ?? ''];
      if (!load) return new Response('no such file', { status: 404 });
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const encoder = new TextEncoder();
      const tell = (r: Result) => void writer.write(encoder.encode(`${JSON.stringify(r)}\n`));
      this.ctx.waitUntil(runFile(load, tell).then(() => writer.close()));
      return new Response(readable);
    }
  };
}

/** The worker in front of it. */
export const worker = {
  fetch(request: Request, env: { RUNNER: DurableObjectNamespace }): Promise<Response> {
    const file = new URL(request.url).searchParams.get('file') ?? '';
    return env.RUNNER.get(env.RUNNER.idFromName(file)).fetch(request);
  },
};
