import { spawn } from 'node:child_process';
import type { Env } from '../../../kube/meta/env.ts';
import type { PacketFilter } from './filter.ts';
import { declarations, fixedChains, RANGES, ranges, renderService } from './render.ts';
import { type Loaded, loaded, script } from './script.ts';
import type { Family, Table } from './table.ts';

/**
 * Kernels before 6.2 hold a chain for a moment after the last element that leads to it is gone, and refuse to delete it: chains
 * are emptied first and deleted after this.
 */
const STALE_MS = 2_000;
/** Of nft's words in an error. */
const ERROR_CHARS_MAX = 2_000;

export interface NftablesOptions {
  /** Our table's name in each family; nothing outside of it is touched. */
  table: string;
  env: Pick<Env, 'now' | 'after' | 'log'>;
  /** How nft is called; default: `nft` here. */
  command?: readonly string[];
}

/** The kernel's packet filter through nft: each call of `apply` is one transaction. */
export function nftables(o: NftablesOptions): PacketFilter {
  const command = o.command ?? ['nft'];
  const states = new Map<Family, Loaded>();
  let last: Promise<unknown> = Promise.resolve();
  let cleaning = false;
  /** One after the other: what the next changes depends on what the last left. */
  const inTurn = <T>(f: () => Promise<T>): Promise<T> => {
    const done = last.then(f, f);
    last = done.catch(() => undefined);
    return done;
  };

  async function apply(tables: readonly Table[]): Promise<void> {
    try {
      await change(tables, false);
    } catch (error) {
      o.env.log('warn', 'nftables.refused', { error: String(error) });
      // What is there isn't what we believed, or is of a release that declared it otherwise: all of it anew.
      await change(tables, true);
    }
    if ([...states.values()].some((s) => s.stale.size > 0)) cleanLater();
  }

  async function change(tables: readonly Table[], anew: boolean): Promise<void> {
    const lines: string[] = [];
    const after: [Family, Loaded][] = [];
    for (const table of tables) {
      const { family } = table;
      const known = anew ? undefined : states.get(family);
      const state = known ?? (anew ? loaded() : await read(family));
      // Until it is known to have worked, nothing is known.
      states.delete(family);
      after.push([family, state]);
      const made = script(table, state, {
        name: o.table,
        setUp: known === undefined,
        deleteFirst: anew,
        declarations: declarations(family),
        fixed: fixedChains(family),
        ranges: ranges(table.node),
        rangeNames: RANGES,
        render: (ports) => renderService(family, ports),
        now: o.env.now(),
      });
      for (const line of made) lines.push(line);
    }
    if (lines.length > 0) await nft(command, ['-f', '-'], `${lines.join('\n')}\n`);
    for (const [family, state] of after) states.set(family, state);
  }

  /** Names of what is in our table already: an agent that starts goes on with it, so that affinities are kept. */
  async function read(family: Family): Promise<Loaded> {
    const text = await nft(command, ['-j', '-t', 'list', 'table', family, o.table], '').catch(() => null);
    if (text === null) return loaded(); // there is no such table
    const list = (JSON.parse(text) as { nftables: Record<string, { name: string }>[] }).nftables;
    const names = (what: string) => list.flatMap((x) => (x[what] ? [x[what].name] : []));
    return loaded({ chains: names('chain'), sets: names('set'), maps: names('map') });
  }

  function cleanLater(): void {
    if (cleaning) return;
    cleaning = true;
    o.env.after(STALE_MS, () => {
      cleaning = false;
      void inTurn(clean).catch((error) => o.env.log('warn', 'nftables.clean.failed', { error: String(error) }));
    });
  }
  async function clean(): Promise<void> {
    for (const [family, state] of states) {
      const old = [...state.stale].filter(([, since]) => o.env.now() - since >= STALE_MS).map(([name]) => name);
      if (old.length > 0)
        await nft(command, ['-f', '-'], old.map((c) => `delete chain ${family} ${o.table} ${c}\n`).join(''));
      for (const name of old) state.stale.delete(name);
      if (state.stale.size > 0) cleanLater();
    }
  }

  async function intact(): Promise<boolean> {
    const there = new Set((await nft(command, ['list', 'tables'], '')).split('\n').map((l) => l.trim()));
    const gone = [...states.keys()].filter((family) => !there.has(`table ${family} ${o.table}`));
    for (const family of gone) states.delete(family);
    return gone.length === 0;
  }

  async function remove(): Promise<void> {
    states.clear();
    const each = (family: Family) => `add table ${family} ${o.table}\ndelete table ${family} ${o.table}\n`;
    await nft(command, ['-f', '-'], each('ip') + each('ip6'));
  }

  return { apply: (tables) => inTurn(() => apply(tables)), intact: () => inTurn(intact), remove: () => inTurn(remove) };
}

/** Runs nft; what it printed. Throws what it complained of. */
export function nft(command: readonly string[], args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const [program = 'nft', ...before] = command;
    const child = spawn(program, [...before, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < ERROR_CHARS_MAX) complaint += text;
    });
    child.stdin.on('error', () => undefined); // it has ended: its exit code says why
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(out) : reject(new Error(`nft: ${complaint.trim() || `exit ${code}`}`)),
    );
    child.stdin.end(input);
  });
}
