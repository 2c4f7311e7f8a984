import type { ConnectSubresource } from '../../kube/kinds/kind.ts';
import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { badRequest, failure } from '../../kube/meta/status.ts';
import { AT_ROOT } from '../../kube/wire/clusteraddresses.ts';
import { admissionContext, admit, attributes, mutate } from '../admit.ts';
import type { ConnectRequest } from '../attributes.ts';
import type { Call } from '../call.ts';
import type { Resource } from '../parts.ts';
import { methodNotAllowed, nothing } from '../respond.ts';
import { objectOf } from '../row.ts';
import { readRow } from './get.ts';
import { proxyTarget, splitTarget } from './proxy.ts';

/** log, exec, attach, portforward and proxy: the request goes on to the pod's node, and its answer comes back as it is. */
export async function connect(call: Call, resource: Resource, sub: ConnectSubresource): Promise<Response> {
  const { info } = call;
  const isGet = info.subresource === 'log';
  // A proxied OPTIONS is no verb, and yet one of the methods.
  if (!isGet && !sub.verbs.includes(info.verb) && info.subresource !== 'proxy') throw methodNotAllowed();
  if (!isGet && call.query.has('dryRun')) throw badRequest('dryRun is not supported');
  if (info.subresource === 'proxy') {
    const moved = toRoot(call);
    if (moved) return moved;
  }
  const object = objectOf(
    resource,
    await readRow(call, resource, info.subresource === 'proxy' ? splitTarget(info.name).name : info.name),
  );
  const kind = KINDS[info.subresource];
  if (!kind) throw methodNotAllowed();
  const proxied = kind === 'proxy' ? await proxyTarget(call, resource, object) : undefined;
  const options = proxied?.options ?? optionsOf(call);
  if (!isGet) await admitConnect(call, resource, object, options);
  if (!proxied) chooseContainer(object, options, kind);
  const node = proxied?.node ?? String(at(object, 'spec.nodeName') ?? '');
  if (node === '') {
    // A pod without a node has said nothing yet.
    if (kind === 'log') return nothing(call);
    throw badRequest(`pod ${object.metadata.name ?? ''} does not have a host assigned`);
  }
  if (!call.cluster.connect) throw failure('ServiceUnavailable', 'no node can be reached from here');
  const request: ConnectRequest = {
    kind,
    namespace: object.metadata.namespace ?? '',
    pod: proxied?.pod ?? object.metadata.name ?? '',
    uid: object.metadata.uid ?? '',
    options,
    request: call.request,
  };
  return call.cluster.connect(node, request);
}

/** The root of what is proxied has a slash, so that its relative links work: upstream's redirect of GET and HEAD. */
function toRoot(call: Call): Response | undefined {
  const { method, url, headers } = call.request;
  const { pathname: whole, search } = new URL(url);
  const pathname = headers.has(AT_ROOT) ? call.info.path : whole;
  if ((method !== 'GET' && method !== 'HEAD') || call.info.rest.length > 0 || pathname.endsWith('/')) return undefined;
  const response = nothing(call);
  return new Response(null, {
    status: 301,
    headers: { ...Object.fromEntries(response.headers), location: `${pathname}/${search}` },
  });
}

const KINDS: Readonly<Record<string, ConnectRequest['kind']>> = {
  log: 'log',
  exec: 'exec',
  attach: 'attach',
  portforward: 'portforward',
  proxy: 'proxy',
};

/** Parameters by how they are read: PodLogOptions, PodExecOptions, PodAttachOptions, PodPortForwardOptions. */
const BOOLEANS = new Set([
  'follow',
  'previous',
  'timestamps',
  'insecureSkipTLSVerifyBackend',
  'stdin',
  'stdout',
  'stderr',
  'tty',
]);
const NUMBERS = new Set(['sinceSeconds', 'tailLines', 'limitBytes']);
const LISTS = new Set(['command', 'ports']);

function optionsOf(call: Call): JsonObject {
  const o: JsonObject = {};
  for (const name of new Set(call.query.keys())) {
    const values = call.query.getAll(name);
    const [first = ''] = values;
    if (LISTS.has(name)) o[name] = name === 'ports' ? values.flatMap((v) => v.split(',')).map(Number) : values;
    else if (BOOLEANS.has(name)) o[name] = first !== '0' && first.toLowerCase() !== 'false';
    else if (NUMBERS.has(name)) o[name] = numberOf(first);
    else if (name === 'container' || name === 'sinceTime' || name === 'stream') o[name] = first;
  }
  return o;
}
function numberOf(text: string): number {
  if (!/^[-+]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

async function admitConnect(call: Call, resource: Resource, object: KubeObject, options: JsonObject): Promise<void> {
  const context = admissionContext(call);
  const a = attributes(call, resource.kind, 'CONNECT', {
    name: object.metadata.name ?? '',
    object: null,
    oldObject: object,
    options,
    dryRun: false,
  });
  await mutate(call, a, context);
  await admit(call, a, context);
}

/** The container that is meant, checked: pkg/registry/core/pod strategy's podutil. Port forwarding is the whole pod's. */
function chooseContainer(pod: KubeObject, options: JsonObject, kind: ConnectRequest['kind']): void {
  if (kind === 'portforward') return;
  const names = ['containers', 'initContainers', 'ephemeralContainers'].map((m) => namesOf(at(pod, `spec.${m}`)));
  const [containers = [], init = [], ephemeral = []] = names;
  const name = pod.metadata.name ?? '';
  const asked = typeof options.container === 'string' ? options.container : '';
  if (asked !== '') {
    if (![...containers, ...init, ...ephemeral].includes(asked)) {
      throw badRequest(`container ${asked} is not valid for pod ${name}`);
    }
    return;
  }
  const [only] = containers;
  if (containers.length === 1 && only !== undefined) {
    options.container = only;
    return;
  }
  if (containers.length === 0) throw badRequest(`a container name must be specified for pod ${name}`);
  const choose = `a container name must be specified for pod ${name}, choose one of: [${containers.join(' ')}]`;
  throw badRequest(init.length > 0 ? `${choose} or one of the init containers: [${init.join(' ')}]` : choose);
}
function namesOf(list: Json | undefined): string[] {
  return Array.isArray(list) ? list.filter(isObject).map((c) => String(c.name ?? '')) : [];
}
