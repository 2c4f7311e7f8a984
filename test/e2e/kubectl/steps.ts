/** One command line and what is kept of it. `$IMAGE` and `$OTHER_IMAGE` have a shell that sleeps; the folder is files/. */
export interface Step {
  /** What sh runs; kubectl is the version under test. */
  run: string;
  /** What it reads. */
  in?: string;
  /** It runs on a terminal: once the first text was seen, the second is typed. */
  tty?: readonly (readonly [seen: string, type: string])[];
  /** Ctrl-C when this was seen on its standard output. */
  interrupt?: string;
  /** Command lines that run, one after the other, once `after` was seen on its standard output. */
  beside?: { after: string; run: readonly string[] };
  /** Again until its output has this: what comes to be some time later. The last output is kept. */
  until?: RegExp;
  /** What of the output is kept: all of it; its lines sorted; its last line; only the exit code. */
  keep?: 'all' | 'sorted' | 'last' | 'code';
  /** Both outputs together must have this, where it isn't kept. */
  has?: RegExp;
  /** The exit code alone where texts are not there: what the descriptions of fields are part of. */
  explains?: boolean;
  /** Why our answer is another one: what isn't there yet, or ours on purpose. Neither played nor compared. */
  later?: string;
  /** The first minor of kubectl that can do this with a server whose URL has a path. */
  since?: string;
}

/** Steps in a namespace of their own, in order. */
export interface Section {
  name: string;
  /** Changes nodes: runs when no other section does. */
  alone?: boolean;
  /** As a step's. */
  later?: string;
  since?: string;
  steps: readonly Step[];
}
