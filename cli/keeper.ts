import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { writeAtomic } from './home.ts';

/** Longest that the shell waits before it starts a program again that keeps dying. */
const RESTART_SECONDS_MAX = 30;
/** One that ends by itself this early, the very first time, can't be started at all. */
const FIRST_SECONDS = 2;
/** The log of a program that keeps dying is begun anew past this. */
const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** A shell that keeps a program running where systemd doesn't: a process of 1 MiB. `$1` is the log, the rest the command. */
const SCRIPT = `#!/bin/sh
# Keeps a program running until SIGTERM.
log=$1; shift
child= delay=1 first=1
end() { trap '' TERM INT; [ -z "$child" ] || { kill "$child" 2>/dev/null; wait "$child"; }; exit 0; }
trap end TERM INT
while :; do
  [ "$(stat -c %s "$log" 2>/dev/null || echo 0)" -lt ${LOG_BYTES_MAX} ] || mv "$log" "$log.1"
  began=$(date +%s)
  "$@" >>"$log" 2>&1 </dev/null &
  child=$!
  wait "$child"
  code=$? lasted=$(($(date +%s) - began))
  # Above 128 are signals: somebody ended it.
  if [ "$first" ] && [ "$lasted" -lt ${FIRST_SECONDS} ] && [ "$code" -ge 1 ] && [ "$code" -le 128 ]; then exit "$code"; fi
  [ "$lasted" -lt 60 ] || delay=1
  echo "coracle: it ended with code $code after $lasted s; it is started again in $delay s" >>"$log"
  sleep "$delay" & child=$!
  wait "$child"
  child= first= delay=$((delay * 2 < ${RESTART_SECONDS_MAX} ? delay * 2 : ${RESTART_SECONDS_MAX}))
done
`;

/** What is kept running. */
export interface Kept {
  /** Where the script is put: its processes are found by that. */
  script: string;
  /** Its lines, and the program's. */
  log: string;
  /** Program and arguments. */
  command: readonly string[];
  env?: NodeJS.ProcessEnv;
}

/** Starts a program and what keeps it running; both outlive this process. Gives the keeper's pid: SIGTERM ends both. The keeper ends by itself where the program can't be started. */
export async function keep(k: Kept): Promise<number> {
  writeAtomic(k.script, SCRIPT, 0o700);
  const out = openSync(k.log, 'a', 0o600);
  const child = spawn('/bin/sh', [k.script, k.log, ...k.command], {
    cwd: '/',
    stdio: ['ignore', out, out],
    detached: true,
    ...(k.env && { env: k.env }),
  });
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  child.unref();
  return child.pid ?? 0;
}
