import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../ports.ts';
import type { Facts } from './normalise.ts';
import type { Section, Step } from './steps.ts';

/** Nothing here takes this long on a machine that does nothing else; what does hangs. */
const STEP_MS_MAX = 90_000;
/** How long `until` is tried. Events and back-offs come within some twenty seconds. */
const UNTIL_MS_MAX = 60_000;
const AGAIN_MS = 300;
const FILES = join(import.meta.dirname, 'files');

/** What the steps' pods run; their shell is all that counts. */
export const IMAGES = {
  IMAGE: 'registry.k8s.io/e2e-test-images/busybox:1.37.0-2',
  OTHER_IMAGE: 'registry.k8s.io/e2e-test-images/agnhost:2.66.1',
};

/** A cluster with one node, and the kubectl to ask it with. */
export interface Target {
  kubectl: string;
  kubeconfig: string;
  node: string;
  server: string;
  /** A folder of this run's own. */
  tmp: string;
}

/** What a command did, as it was. */
export interface Played {
  out: string;
  err: string;
  /** Exit code, or the name of the signal that ended it. */
  code: string;
  facts: Facts;
}

/** Plays steps of a section, in a namespace of its own; `say` gets each as soon as it is over. */
export async function play(
  section: Section,
  steps: readonly Step[],
  t: Target,
  say: (step: Step, p: Played) => void,
): Promise<void> {
  const tmp = join(t.tmp, section.name);
  mkdirSync(join(tmp, 'bin'), { recursive: true });
  symlinkSync(t.kubectl, join(tmp, 'bin/kubectl'));
  copyFileSync(t.kubeconfig, join(tmp, 'kubeconfig'));
  const namespace = `kubectl-${section.name}`;
  const env = {
    ...process.env,
    ...IMAGES,
    NODE: t.node,
    NS: namespace,
    TMP: tmp,
    HOME: tmp,
    KUBECONFIG: join(tmp, 'kubeconfig'),
    PATH: `${join(tmp, 'bin')}:${process.env.PATH}`,
    SHELL: '/bin/sh',
    TERM: 'dumb',
  };
  const facts = { node: t.node, server: t.server, tmp, port: 0, namespace };
  const sh = (step: Step) => playStep(step, env, facts);
  for (const run of [
    `kubectl delete namespace ${namespace} --ignore-not-found`,
    `kubectl create namespace ${namespace}`,
    `kubectl config set-context --current --namespace=${namespace}`,
  ]) {
    const p = await sh({ run });
    if (p.code !== '0') throw new Error(`${run}: ${p.err}`);
  }
  await sh({ run: 'kubectl get sa,cm', until: /serviceaccount\/default[\s\S]*configmap\/kube-root/ });
  for (const step of steps) say(step, await sh(step));
  // Sections that drain the node are to find nothing else on it.
  await sh({ run: 'kubectl delete deployment,ds,sts,job,pod --all --grace-period=0 --force' });
  await sh({ run: `kubectl delete namespace ${namespace} --timeout=${STEP_MS_MAX / 1000}s` });
}

async function playStep(step: Step, env: NodeJS.ProcessEnv, facts: Facts): Promise<Played> {
  const end = performance.now() + UNTIL_MS_MAX;
  for (;;) {
    const port = await freePort();
    const p = await playOnce(step, { ...env, PORT: String(port) }, { ...facts, port });
    if (step.until === undefined || step.until.test(p.out + p.err) || performance.now() > end) return p;
    await delay(AGAIN_MS);
  }
}

function playOnce(step: Step, env: NodeJS.ProcessEnv, facts: Facts): Promise<Played> {
  const [program, args] = step.tty
    ? ['script', ['-qec', `stty cols 200 rows 50; ${step.run}`, '/dev/null']]
    : ['sh', ['-c', step.run]];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: FILES, env, stdio: 'pipe', detached: true });
    const stop = (signal: NodeJS.Signals) => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
    };
    const late = setTimeout(() => stop('SIGKILL'), STEP_MS_MAX);
    const played: Played = { out: '', err: '', code: '', facts };
    const sides: Promise<unknown>[] = [];
    let interrupted = false;
    let beside = step.beside;
    let typed = 0;
    let from = 0;
    const look = () => {
      if (beside && played.out.includes(beside.after)) {
        const { run } = beside;
        beside = undefined;
        sides.push(sideBySide(run, env, facts, played));
      }
      for (let next = step.tty?.[typed]; next && played.out.includes(next[0], from); next = step.tty?.[++typed]) {
        from = played.out.indexOf(next[0], from) + next[0].length;
        child.stdin.write(next[1]);
      }
      if (step.interrupt !== undefined && !interrupted && played.out.includes(step.interrupt)) {
        interrupted = true;
        Promise.all(sides)
          .then(() => delay(AGAIN_MS))
          .then(() => stop('SIGINT'), reject);
      }
    };
    child.stdout.on('data', (b: Buffer) => {
      played.out += b;
      look();
    });
    child.stderr.on('data', (b: Buffer) => {
      played.err += b;
    });
    child.stdin.on('error', () => undefined); // a command that doesn't read its input closes it
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      Promise.all(sides).then(() => resolve({ ...played, code: String(code ?? signal) }), reject);
    });
    if (step.tty === undefined) child.stdin.end(step.in ?? '');
    look();
  });
}

/** Runs command lines beside another, and adds what they say to its errors, which nothing else writes to then. */
async function sideBySide(lines: readonly string[], env: NodeJS.ProcessEnv, facts: Facts, into: Played): Promise<void> {
  for (const run of lines) {
    const p = await playOnce({ run }, env, facts);
    into.err += `beside: ${run}\n${p.out}${p.err}`;
  }
}
