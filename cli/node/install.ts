import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { conditionOf } from '../../kube/meta/condition.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { JOIN_PATH, type NodeCredential } from '../../kube/wire/joining.ts';
import { CommandError } from '../command.ts';
import { type Answer, requestJson } from '../endpoint.ts';
import { writeAtomic } from '../home.ts';
import { makeReady } from '../install/carry.ts';
import { lastLines } from '../logs.ts';
import { runText } from './child.ts';
import type { NodeOptions } from './options.ts';
import { type Service, serviceOf } from './service.ts';
import { agentSettings, DEFAULT_STATE, readGiven, readRegistries } from './settings.ts';

/** What joining takes beside what is said of the node. */
export interface InstallOptions extends NodeOptions {
  /** The cluster's URL. */
  server: string;
  token?: string | undefined;
  'ca-file'?: string | undefined;
  /** Nothing is to be installed on this machine. */
  offline?: boolean | undefined;
}

/** The first start installs packages and starts a containerd. */
const READY_MS_MAX = 300_000;
const POLL_MS = 100;
/** There is no credential, and no token to get one with. */
export const EXIT_TOKEN_NEEDED = 3;
const ANSWER_MS_MAX = 30_000;
/** A node that was just taken away is Ready for as long as its lease lasts. */
const TAKEN_MS_MAX = 90_000;
const TAKEN_POLL_MS = 3_000;
/** Enough of the log's end to show why the agent doesn't start. */
const LOG_LINES = 10;

const say = (line: string) => console.error(`coracle: ${line}`);

/** Where this node's agent is, and its installation. */
export function nodeService(state: string): { service: Service; settings: string } {
  const settings = join(state, 'agent.json');
  const service = serviceOf({ state, node: process.execPath, script: join(state, 'coracle-node.js'), settings });
  return { service, settings };
}

/** Makes this machine a node and waits until it is Ready. Done again with the same options, it changes nothing; with others, or a new release, the agent is started anew and pods run on. */
export async function installNode(o: InstallOptions): Promise<void> {
  const began = Date.now();
  const state = resolve(o.state ?? DEFAULT_STATE);
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const caFile = join(state, 'ca.crt');
  if (o['ca-file'] !== undefined) writeChanged(caFile, readGiven('--ca-file', o['ca-file']));
  const ca = existsSync(caFile) ? readFileSync(caFile, 'utf8') : undefined;
  const reach = { url: o.server, agent: new Agent({ ca, keepAlive: false }) };
  const tokenFile = join(state, 'node-token');
  const written = agentSettings(
    o['resolv-conf'] === undefined ? o : { ...o, 'resolv-conf': resolve(o['resolv-conf']) },
    {
      url: o.server,
      caFile: ca === undefined ? undefined : caFile,
      tokenFile,
      state,
      hostname: hostname(),
      addresses: o['node-ip'] ?? [await ownAddress(new URL(o.server))],
      registries: readRegistries(o.registries),
    },
  );
  const node = String(written.node);
  const { service, settings } = nodeService(state);
  const runtime = o['cri-socket'] === undefined;
  await makeReady({ node: { runtime }, kubectl: false, offline: o.offline ?? false, home: state, say });
  const text = JSON.stringify(written, null, 2);
  await check(settings, text);
  if (!(await tokenHolds(reach, tokenFile, node))) {
    const given = await credential(reach, o.token ?? process.env.CORACLE_TOKEN, node);
    writeAtomic(tokenFile, given.status.token);
  }
  writeChanged(settings, text);
  const release = fingerprint(state, text);
  const started = join(state, 'started');
  const current = existsSync(started) && readFileSync(started, 'utf8') === release;
  if (!service.running() || !current) {
    say(`starting the agent of node ${node} (log: ${service.log})`);
    await service.start();
    writeAtomic(started, release);
    await untilReady(reach, tokenFile, node, service, began);
  } else await untilReady(reach, tokenFile, node, service, 0);
  say(`node ${node} is Ready`);
}

interface Reach {
  url: string;
  agent: Agent;
}

/** What the running agent was started with. */
function fingerprint(state: string, settings: string): string {
  const code = readFileSync(join(state, 'coracle-node.js'));
  return createHash('sha256').update(code).update(settings).update(process.execPath).digest('hex');
}

/** An untouched file says that nothing has changed. */
function writeChanged(path: string, text: string): void {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeAtomic(path, text);
}

/** The agent's own judgement of its settings, before anything is changed. */
async function check(settings: string, text: string): Promise<void> {
  const tried = `${settings}.tried`;
  writeAtomic(tried, text);
  const { code, stderr } = await runText(process.execPath, [join(settings, '..', 'coracle-node.js'), 'check', tried]);
  rmSync(tried);
  const [why = 'the settings are not taken'] = stderr.split('\n').filter((l) => l.startsWith('coracle: '));
  if (code !== 0) throw new CommandError(why.replace(/^coracle: /, '').replace(`${tried}: `, ''), 2);
}

function ask(r: Reach, method: string, path: string, token: string, body?: unknown): Promise<Answer> {
  return requestJson(r.agent, method, r.url + path, { token, body, timeoutMs: ANSWER_MS_MAX }).catch((e: Error) => {
    throw new CommandError(`${r.url} can't be reached: ${e.message}`);
  });
}

/** True where an earlier credential is this node's and still counts. */
async function tokenHolds(r: Reach, file: string, node: string): Promise<boolean> {
  if (!existsSync(file)) return false;
  const { code } = await ask(r, 'GET', `/api/v1/nodes/${node}`, readFileSync(file, 'utf8'));
  return code === 200 || code === 404;
}

async function credential(r: Reach, token: string | undefined, node: string): Promise<NodeCredential> {
  if (token === undefined)
    throw new CommandError(
      `this machine has not joined ${r.url} as ${node} yet: --token TOKEN is needed`,
      EXIT_TOKEN_NEEDED,
    );
  for (const end = Date.now() + TAKEN_MS_MAX; ; await new Promise((done) => setTimeout(done, TAKEN_POLL_MS))) {
    const { code, body } = await ask(r, 'POST', JOIN_PATH, token, { metadata: { name: node } });
    if (code === 201) return body as NodeCredential;
    if (code === 401)
      throw new CommandError('the token is not (or no longer) one of this cluster: coracle join-command gives another');
    if (code !== 409) throw new CommandError(String(body.message ?? `the server answered ${code}`));
    if (Date.now() > end)
      throw new CommandError(
        `the cluster has a node ${node} that is Ready: give this one another --node-name, or end that one first`,
      );
    say(`waiting for the end of the other node ${node}`);
  }
}

/** Until the node has said, since `sinceMs`, that it is Ready. */
async function untilReady(r: Reach, tokenFile: string, node: string, service: Service, sinceMs: number): Promise<void> {
  const token = readFileSync(tokenFile, 'utf8');
  const end = Date.now() + READY_MS_MAX;
  let why = 'it has not registered';
  for (;;) {
    const answer = await ask(r, 'GET', `/api/v1/nodes/${node}`, token).catch((e: Error) => e.message);
    if (typeof answer === 'string') why = answer;
    else if (answer.code === 200) {
      const ready = conditionOf((answer.body as { status?: JsonObject }).status?.conditions, 'Ready');
      // Times have whole seconds.
      if (ready?.status === 'True' && Date.parse(String(ready.lastHeartbeatTime)) >= sinceMs - 1_000) return;
      why = ready?.message ?? 'it has not said so';
    }
    if (!service.running()) throw new CommandError(`the agent ended: ${logEnd(service)}`);
    if (Date.now() > end)
      throw new CommandError(
        `node ${node} is not Ready after ${READY_MS_MAX / 1_000} s: ${why}; its log is ${service.log}\n${logEnd(service)}`,
      );
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

const logEnd = (service: Service): string => lastLines(service.log, LOG_LINES) || `see ${service.log}`;

/** The address of this machine from which it reaches the control plane: others in that network reach it there. */
function ownAddress(server: URL): Promise<string> {
  const host = server.hostname.replace(/^\[|\]$/g, '');
  return new Promise((done, fail) => {
    const socket = connect({ host, port: Number(server.port || 443) });
    socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error('no answer')));
    socket.once('connect', () => {
      const address = socket.localAddress ?? '';
      socket.destroy();
      done(address.replace(/^::ffff:/, ''));
    });
    socket.once('error', (e) => fail(new CommandError(`${server.href} can't be reached: ${e.message}`)));
  });
}
