/** What a pretended process does, in order, until it exits. */
export type Step = { write: 'stdout' | 'stderr'; text: string } | { sleepMs: number };
export interface Program {
  steps: Step[];
  /** After the last step. */
  exitCode: number;
  /** The code that it exits with on its stop signal; absent: it has no handler. */
  onTerm?: number;
}
export interface ProgramContext {
  env: Record<string, string>;
  workingDir: string;
}

type Applet = (args: string[], c: ProgramContext) => Program;
const exits = (exitCode: number): Program => ({ steps: [], exitCode });
const prints = (text: string, exitCode = 0): Program => ({ steps: [{ write: 'stdout', text }], exitCode });

/** setTimeout's own bound: a longer sleep is as good as for ever. */
const SLEEP_MS_MAX = 2 ** 31 - 1;

function sleepMs(arg: string | undefined): number {
  return arg === 'infinity' ? SLEEP_MS_MAX : Math.min(SLEEP_MS_MAX, Number(arg ?? 0) * 1000);
}

const APPLETS: Record<string, Applet> = {
  true: () => exits(0),
  false: () => exits(1),
  sleep: (args) => ({ steps: [{ sleepMs: sleepMs(args[0]) }], exitCode: 0 }),
  echo: (args) => prints(`${args.join(' ')}\n`),
  pwd: (_, c) => prints(`${c.workingDir}\n`),
  // A server or anything else that runs until it's stopped, and stops when asked.
  pause: () => ({ steps: [{ sleepMs: SLEEP_MS_MAX }], exitCode: 0, onTerm: 0 }),
  sh: (args, c) => script(args[0] === '-c' ? (args[1] ?? '') : '', c),
};

const words = (command: string) =>
  (command.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((w) => (/^["']/.test(w) ? w.slice(1, -1) : w));

/** `a; b` run one after another; knows `$NAME`, `exit`, `trap "exit N" TERM`, `>&2` and `a & wait`. */
function script(text: string, c: ProgramContext): Program {
  const out: Program = { steps: [], exitCode: 0 };
  for (const part of text.replace(/&\s*wait/g, '').split(';')) {
    const toStderr = part.includes('>&2');
    const expanded = part.replace('>&2', '').replace(/\$(\w+)/g, (_, v: string) => c.env[v] ?? '');
    const [name, ...args] = words(expanded);
    if (name === undefined) continue;
    if (name === 'exit') return { ...out, exitCode: Number(args[0] ?? 0) };
    if (name === 'trap') {
      out.onTerm = Number(args[0]?.split(' ')[1] ?? 0);
      continue;
    }
    const applet = APPLETS[name];
    const run = applet ? applet(args, c) : { steps: [], exitCode: 127 };
    out.steps.push(...run.steps.map((s) => (toStderr && 'write' in s ? { ...s, write: 'stderr' as const } : s)));
    out.exitCode = run.exitCode;
  }
  return out;
}

/** What a few of busybox's commands do; null when there is no such executable. */
export function busyboxProgram(argv: string[], c: ProgramContext): Program | null {
  const name = argv[0]?.replace(/^\/bin\//, '') ?? '';
  return APPLETS[name]?.(argv.slice(1), c) ?? null;
}
