/** Takes what differs from run to run out of answers: ids, revisions, times, generated names, addresses. */
export class Normaliser {
  readonly #namespace: string;
  /** The case's own text: addresses and ports that it names stay. */
  readonly #given: string;
  /** generateName bases of the case: names made of them stand in messages too. */
  readonly #prefixes: readonly string[];
  readonly #revisions = new Set<string>();
  readonly #uids = new Map<string, string>();
  readonly #names = new Map<string, string>();
  #ranks: Map<string, number> | undefined;

  constructor(namespace: string, given: string) {
    this.#namespace = namespace;
    this.#given = given;
    this.#prefixes = [...given.matchAll(/"generateName":"([^"]+)"/g)].map((m) => m[1] ?? '');
  }

  /** Sees all answers before any is normalised: revisions become ranks among all of the case. */
  learn(v: unknown): void {
    if (Array.isArray(v)) for (const item of v) this.learn(item);
    if (typeof v !== 'object' || v === null || Array.isArray(v)) return;
    const o = v as Record<string, unknown>;
    for (const [k, x] of Object.entries(o)) {
      if (k === 'resourceVersion' && typeof x === 'string' && !isListMeta(o)) this.#revisions.add(x);
      this.learn(x);
    }
    const { generateName, name } = o;
    if (
      typeof generateName === 'string' &&
      typeof name === 'string' &&
      name.startsWith(generateName) &&
      name !== generateName
    ) {
      if (!this.#names.has(name)) this.#names.set(name, `${generateName}GENERATED${this.#names.size}`);
    }
  }

  text(s: string): string {
    let t = s;
    for (const [name, to] of this.#names) t = t.replaceAll(name, to);
    for (const p of this.#prefixes) {
      t = t.replace(
        new RegExp(`${p.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}[bcdfghjklmnpqrstvwxz2456789]{5}`, 'g'),
        `${p}GENERATED`,
      );
    }
    t = t.replaceAll(this.#namespace, 'NS').replace(/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-GENERATED');
    // Revisions inside texts: upstream's patch errors print the object, preconditions and lists the number.
    t = t.replace(
      /(\\?"resourceVersion\\?":\\?"|^ +resourceVersion: "|ResourceVersion in (?:the precondition|record) \(|current: )(\d+)/gm,
      '$1RV',
    );
    t = t.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (u) => {
      if (this.#given.includes(u)) return u;
      if (!this.#uids.has(u)) this.#uids.set(u, `UID${this.#uids.size}`);
      return this.#uids.get(u) ?? u;
    });
    t = t.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (m, f?: string) =>
      this.#given.includes(m) ? m : f ? 'MICROTIME' : 'TIME',
    );
    t = t.replace(/\b10\.96\.\d+\.\d+\b/g, (ip) => (this.#given.includes(ip) ? ip : 'CLUSTERIP'));
    t = t.replace(/^\d+:3\d{4}\/(TCP|UDP|SCTP)/, (p) =>
      this.#given.includes(p) ? p : p.replace(/:3\d{4}/, ':NODEPORT'),
    );
    return /^(\d+s|\d+m\d*s?)$/.test(t) ? 'AGE' : t;
  }

  value(v: unknown, key = '', parent: Record<string, unknown> = {}): unknown {
    if (typeof v === 'string') {
      if (key === 'resourceVersion') return isListMeta(parent) ? 'LISTRV' : this.#rank(v);
      if (key === 'continue') return v === '' ? v : 'CONTINUE';
      return this.text(v);
    }
    if (typeof v === 'number') {
      const port = /[pP]ort$/.test(key) && v >= 30000 && v <= LAST_NODE_PORT && !this.#given.includes(String(v));
      return port ? 'NODEPORT' : v;
    }
    if (Array.isArray(v)) return v.map((item) => this.value(item, key));
    if (typeof v !== 'object' || v === null) return v;
    const out: Record<string, unknown> = {};
    for (const [k, x] of Object.entries(v)) out[this.text(k)] = this.value(x, k, v as Record<string, unknown>);
    return out;
  }

  #rank(v: string): string {
    if (!/^\d+$/.test(v) || v === '0') return v;
    this.#ranks ??= new Map([...this.#revisions].sort((a, b) => Number(a) - Number(b)).map((r, i) => [r, i]));
    return `RV${this.#ranks.get(v) ?? '?'}`;
  }
}
/** The range ends at 32767, but upstream's dry run draws past it. */
const LAST_NODE_PORT = 35535;
/** A list's metadata has no name and no uid. */
const isListMeta = (o: Record<string, unknown>) =>
  o.name === undefined && o.uid === undefined && o.generateName === undefined && o.creationTimestamp === undefined;
