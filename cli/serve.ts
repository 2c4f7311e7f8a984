import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_SERVICE_CIDR } from '../kube/kinds/serviceips.ts';
import { type Command, CommandError } from './command.ts';
import { coracleHome, root, writeAtomic } from './home.ts';
import { checkFree, type Listen, listenOptions, listensOf, listenUsage, listenWords } from './listen.ts';
import { makeCa } from './server/certificates.ts';
import { type Instance, readInstance } from './server/instance.ts';
import { claimPid, readPid, stop, writePid } from './server/pid.ts';
import { INSTANCE_DATA, LOCAL_DATA, prepare, startHere } from './server/process.ts';
import { supervise } from './server/supervise.ts';
import { unit } from './server/unit.ts';
import { checkServiceRange } from './servicerange.ts';
import { hasSystemd, unitPath } from './systemd.ts';

/** Within docker stop's 10 s: what an instance takes to hand its objects over. */
const GRACE_SECONDS = 8;
const GRACE_SECONDS_MAX = 3_600;
/** Two on one home would write the same databases. */
const EXIT_TAKEN = 3;
const UNIT = unitPath('coracle.service');

export const serve: Command = {
  name: 'serve',
  summary: 'run the control plane alone, as a service, or as one of several instances',
  usage: `${listenUsage}
  --service-cidr CIDR      range of the addresses of Services (default ${DEFAULT_SERVICE_CIDR}); must never change
  --grace SECONDS          what requests in flight have after SIGTERM (default ${GRACE_SECONDS})
  --cluster CONFIG         be one of several instances that share a bucket (README, "Several machines")
  --make-secrets DIR       make what all instances share: cluster.key, operator-token, ca.crt, ca.key
  --print-unit             print a systemd unit with these options
  --install                write it to ${UNIT}

Runs in the foreground; lines go to stderr. State is kept in --home DIR (default $CORACLE_HOME, else ~/.coracle); one control plane
runs on one home. /readyz is 200 while clients may come. workerd is started again when it dies. SIGTERM or SIGINT: no new clients, watches and
agents' tunnels end, requests in flight have the grace; a second signal ends at once.

Exit codes: 0 stopped, 1 workerd could not be started, 2 a wrong option or configuration, 3 another control plane runs on this home.`,
  async run(args) {
    const { values } = parseArgs({
      args,
      options: {
        ...listenOptions,
        'service-cidr': { type: 'string' },
        grace: { type: 'string', default: String(GRACE_SECONDS) },
        cluster: { type: 'string' },
        'make-secrets': { type: 'string' },
        'print-unit': { type: 'boolean', default: false },
        install: { type: 'boolean', default: false },
      },
    });
    if (values['make-secrets'] !== undefined) return makeSecrets(values['make-secrets']);
    const listen = listensOf(values.listen, values.port);
    const graceMs = graceOf(values.grace);
    const serviceCIDR = values['service-cidr'];
    if (serviceCIDR !== undefined) checkServiceRange(serviceCIDR);
    const home = coracleHome();
    if (values['print-unit'] || values.install) {
      const config = values.cluster === undefined ? [] : ['--cluster', resolve(values.cluster)];
      const where = listenWords(listen, values.name ?? []);
      const range = serviceCIDR === undefined ? [] : ['--service-cidr', serviceCIDR];
      const options = [...where, ...range, '--grace', String(graceMs / 1000), ...config];
      const main = join(root, 'cli', 'main.ts');
      return giveUnit(unit({ node: process.execPath, main, home, args: options, graceMs }), values.install);
    }
    const instance = values.cluster === undefined ? undefined : readInstance(values.cluster, process.env);
    return run(home, { listen, names: values.name ?? [], serviceCIDR, graceMs, instance });
  },
};

interface Options {
  listen: readonly Listen[];
  names: readonly string[];
  serviceCIDR: string | undefined;
  graceMs: number;
  instance: Instance | undefined;
}

async function run(home: string, o: Options): Promise<number> {
  checkHome(home, o.instance !== undefined);
  const pidFile = join(home, 'server.pid');
  if (!claimPid(pidFile, process.pid))
    throw new CommandError(`another control plane runs on ${home} (process ${readPid(pidFile) ?? '?'})`, EXIT_TAKEN);
  try {
    const workerdPid = join(home, 'workerd.pid');
    // What a supervisor that was killed left running.
    if (await stop(workerdPid)) say('ended the workerd of a supervisor that is gone');
    for (const l of o.listen) await checkFree(l);
    const { instance } = o;
    const server = await prepare({ home, ...o, service: { graceMs: o.graceMs, ...(instance && { instance }) } });
    writeAtomic(join(home, 'url'), server.url, 0o644);
    await supervise(
      {
        start: () => {
          const child = startHere(server.config);
          if (child.pid !== undefined) writePid(workerdPid, child.pid);
          return child;
        },
        control: server.control ?? '',
        graceMs: o.graceMs,
        cluster: instance?.cluster,
        ready: (child) => {
          say(
            `serving on ${server.url}${instance ? ` as an instance of ${instance.publicUrl}` : ''} (workerd ${child.pid})`,
          );
          notify('--ready');
        },
        say,
      },
      signals(),
    );
    rmSync(workerdPid, { force: true });
    return 0;
  } finally {
    rmSync(pidFile, { force: true });
  }
}

/** workerd refuses objects of a control plane alone in an instance's folder; the other way round they would be stale copies. */
function checkHome(home: string, cluster: boolean): void {
  const holds = (folder: string) => existsSync(join(home, folder)) && readdirSync(join(home, folder)).length > 0;
  if (cluster && holds(LOCAL_DATA))
    throw new CommandError(
      `${home} holds the clusters of a control plane alone; give the instance another CORACLE_HOME, and move clusters with coracle cluster backup and restore`,
      2,
    );
  if (!cluster && holds(INSTANCE_DATA))
    throw new CommandError(
      `${home} belongs to one of several instances: start it with --cluster, or take another CORACLE_HOME`,
      2,
    );
}

function graceOf(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= GRACE_SECONDS_MAX))
    throw new CommandError(`--grace ${text}: a number of seconds up to ${GRACE_SECONDS_MAX} is needed`, 2);
  return Math.round(seconds * 1000);
}

/** Aborts at the first SIGTERM or SIGINT; the second ends everything at once. */
function signals(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (!stopping.signal.aborted) {
        notify('--stopping');
        return stopping.abort();
      }
      const pid = readPid(join(coracleHome(), 'workerd.pid'));
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    });
  return stopping.signal;
}

/** Tells systemd, where it started us: Node.js has no datagram sockets of its own for that. */
function notify(what: '--ready' | '--stopping'): void {
  if (!process.env.NOTIFY_SOCKET) return;
  const told = spawn('systemd-notify', what === '--ready' ? ['--ready'] : ['STOPPING=1'], { stdio: 'ignore' });
  told.on('error', (error) => say(`systemd could not be told: ${error.message}`));
}

function giveUnit(text: string, install: boolean): number {
  if (!install) {
    process.stdout.write(text);
    return 0;
  }
  if (!hasSystemd()) throw new CommandError('systemd does not run this machine; --print-unit prints the unit');
  writeAtomic(UNIT, text, 0o644);
  console.log(`${UNIT} is written\n\n  systemctl daemon-reload\n  systemctl enable --now coracle`);
  return 0;
}

async function makeSecrets(dir: string): Promise<number> {
  if (existsSync(join(dir, 'cluster.key'))) throw new CommandError(`${dir} has secrets already`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  await makeCa(dir);
  writeAtomic(join(dir, 'operator-token'), `${randomBytes(32).toString('base64url')}\n`);
  writeAtomic(join(dir, 'cluster.key'), `${randomBytes(32).toString('hex')}\n`);
  console.log(`${dir} has the secrets of a new cluster: copy it to every instance`);
  return 0;
}

function say(line: string): void {
  console.error(`coracle: ${line}`);
}
