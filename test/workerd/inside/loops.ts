import type { Bindings } from '../../../workers/bindings.ts';
import main, * as parts from '../../../workers/main.ts';
import type { Fault } from './fault.ts';

// The whole Worker, its objects counted, and its loops made to fail where a test says so.

export { NodeTunnel, Relay } from '../../../workers/main.ts';

interface Standing extends Fault {
  seen: number;
  released: boolean;
  /** What the store said to the commit once it was released. */
  answer?: unknown;
}
const faults: Standing[] = [];
const dead = new Set<string>();
/** Loops (`<cluster>/<loop>`) of which wake-ups get lost, and how many more. */
const lost = new Map<string, number>();
/** `Loop <name> wake` -> how often. */
const counts: Record<string, number> = {};
/** Wake-ups that a store sent: `<cluster>/<loop>/<replica>`. */
const wakes: string[] = [];

const count = (what: string, name: string | undefined, event: string) => {
  const key = `${what} ${name} ${event}`;
  counts[key] = (counts[key] ?? 0) + 1;
};
/** Counts each call of a class: RPC, fetch, alarm, socket events. */
function counted(what: string, of: { prototype: object }, from: { prototype: object }): void {
  for (const name of Object.getOwnPropertyNames(from.prototype)) {
    const method: unknown = Reflect.get(from.prototype, name);
    if (name === 'constructor' || typeof method !== 'function') continue;
    Object.defineProperty(of.prototype, name, {
      value(this: { ctx: DurableObjectState }, ...args: unknown[]) {
        count(what, this.ctx.id.name, name);
        return method.apply(this, args) as unknown;
      },
    });
  }
}

/** SQLite rows of `<class> <name>` while they are counted: `read`, `written`, `calls`. */
let metering = false;
const meters = new Map<string, { cursors: { rowsRead: number; rowsWritten: number }[] }>();
const meterOf = new WeakMap<object, { cursors: { rowsRead: number; rowsWritten: number }[] }>();
let metered = false;
/** Counts what a loop's SQLite reads and writes, from /test/meter on. A store's can't be asked: readers that stop early leave a cursor that is its object's own. */
function meter(what: string, ctx: DurableObjectState): void {
  const name = `${what} ${ctx.id.name}`;
  const mine = meters.get(name) ?? { cursors: [] };
  meters.set(name, mine);
  const { sql } = ctx.storage;
  meterOf.set(sql, mine);
  if (metered) return;
  metered = true;
  const proto = Object.getPrototypeOf(sql) as { exec(...a: unknown[]): { rowsRead: number; rowsWritten: number } };
  const { exec } = proto;
  proto.exec = function (this: object, ...args) {
    const cursor = exec.apply(this, args);
    if (metering) meterOf.get(this)?.cursors.push(cursor);
    return cursor;
  };
}
const meterings = () =>
  Object.fromEntries(
    [...meters].map(([name, { cursors }]) => [
      name,
      {
        calls: cursors.length,
        read: cursors.reduce((n, c) => n + c.rowsRead, 0),
        written: cursors.reduce((n, c) => n + c.rowsWritten, 0),
      },
    ]),
  );

/** A stub with one method in the place of another. */
function stubWith(
  stub: object,
  name: string,
  instead: (...args: never[]) => Promise<unknown>,
  asked: (member: string) => void = () => undefined,
): unknown {
  return new Proxy(stub, {
    get: (target, member) => {
      asked(String(member));
      if (member === name) return instead;
      const value: unknown = Reflect.get(target, member);
      return typeof value === 'function'
        ? (...args: unknown[]) => (target as Record<string | symbol, (...a: unknown[]) => unknown>)[member]?.(...args)
        : value;
    },
  });
}

/** Stores whose commits fail as the test says. */
function faulty(ctx: DurableObjectState, b: Bindings): Bindings {
  const getByName = (name: string) => {
    const stub = b.TENANTS.getByName(name);
    return stubWith(
      stub,
      'commit',
      async (...args: Parameters<typeof stub.commit>) => {
        const fault = faults.find((f) => f.loop === ctx.id.name && f.store === name && f.answer === undefined);
        if (!fault || ++fault.seen !== fault.nth) return stub.commit(...args);
        if (fault.how === 'die') {
          dead.add(fault.loop);
          ctx.abort('a test kills this loop');
        }
        while (!fault.released) await new Promise((done) => setTimeout(done, 20));
        const answer = await stub.commit(...args);
        fault.answer = answer;
        return answer;
      },
      (member) => count('Loop', ctx.id.name, `asks ${name} ${member}`),
    );
  };
  return { ...b, TENANTS: { getByName } as never };
}

export class Loop extends parts.Loop {
  constructor(ctx: DurableObjectState, b: Bindings) {
    if (dead.has(ctx.id.name ?? '')) throw new Error('this loop is dead');
    super(ctx, faulty(ctx, b));
    count('Loop', ctx.id.name, 'made');
    meter('Loop', ctx);
  }
}
counted('Loop', Loop, parts.Loop);

/** Loops whose wake-ups get lost as the test says. */
function lossy(b: Bindings): Bindings {
  const getByName = (name: string) => {
    const stub = b.LOOPS.getByName(name);
    return stubWith(stub, 'wake', async (...args: Parameters<typeof stub.wake>) => {
      wakes.push(name);
      const loop = name.slice(0, name.lastIndexOf('/'));
      const left = lost.get(loop) ?? 0;
      if (left === 0) return stub.wake(...args);
      lost.set(loop, left - 1);
    });
  };
  return { ...b, LOOPS: { getByName } as never };
}

export class TenantStore extends parts.TenantStore {
  constructor(ctx: DurableObjectState, b: Bindings) {
    super(ctx, lossy(b));
    count('TenantStore', ctx.id.name, 'made');
  }
}
counted('TenantStore', TenantStore, parts.TenantStore);

export class Directory extends parts.Directory {
  constructor(ctx: DurableObjectState, b: never) {
    super(ctx, b);
    count('Directory', ctx.id.name, 'made');
  }
}
counted('Directory', Directory, parts.Directory);

/** SHA-256 of `operator`. */
const OPERATOR = '06e55b633481f7bb072957eabcf110c972e86691c3cfedabe088024bffe42f23';

export default {
  async fetch(request: Request, env: Bindings, ctx: ExecutionContext): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === '/test/fault') {
      faults.push({ ...((await request.json()) as Fault), seen: 0, released: false });
      return new Response();
    }
    if (pathname === '/test/lose') {
      const { loop, times } = (await request.json()) as { loop: string; times: number };
      lost.set(loop, times);
      return new Response();
    }
    if (pathname === '/test/meter') {
      metering = ((await request.json()) as { on: boolean }).on;
      for (const m of meters.values()) m.cursors = [];
      return new Response();
    }
    if (pathname === '/test/release') {
      const { store } = (await request.json()) as Pick<Fault, 'store'>;
      for (const f of faults) if (f.store === store) f.released = true;
    }
    if (pathname.startsWith('/test/')) return Response.json({ counts, faults, wakes, meters: meterings() });
    const b: Bindings = { ...env, PUBLIC_URL: '', OPERATOR_TOKEN_SHA256: OPERATOR };
    return main.fetch?.(request as never, b, ctx) ?? new Response(null, { status: 404 });
  },
};
