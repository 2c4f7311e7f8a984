import { type Env, sleep } from '../../kube/meta/env.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { headersOf, httpGet, urlOf } from './httpget.ts';
import { type Container, type Handler, type Pod, podText } from './pod.ts';

/** Runs a lifecycle hook to its end, however long it takes; '' when it succeeded, else upstream's text (lifecycle/handlers.go). Never throws. */
export async function runHook(
  h: Handler,
  pod: Pod,
  c: Container,
  containerId: string,
  podIP: string,
  runtime: Runtime,
  env: Env,
): Promise<string> {
  const whose = `for Container "${c.name}" in Pod "${podText(pod)}" failed - error: `;
  if (h.exec) {
    const { command } = h.exec;
    const why = await exec(command, containerId, runtime);
    return why === null ? '' : `Exec lifecycle hook ([${command.join(' ')}]) ${whose}${why}`;
  }
  if (h.httpGet) {
    const why = await http(h.httpGet, c, podIP);
    return why === null ? '' : `HTTP lifecycle hook (${h.httpGet.path ?? ''}) ${whose}${why}`;
  }
  if (!h.sleep) return `Cannot run handler: invalid handler: ${JSON.stringify(h)}`;
  await sleep(env, h.sleep.seconds * 1000);
  return '';
}

async function exec(command: string[], id: string, runtime: Runtime): Promise<string | null> {
  try {
    const r = await runtime.execSync(id, command, 0);
    if (r.exitCode === 0) return null;
    const [out, errors] = [new TextDecoder().decode(r.stdout), new TextDecoder().decode(r.stderr)];
    const why = `command '${command.join(' ')}' exited with ${r.exitCode}: ${errors}`;
    return `${why}, message: ${JSON.stringify(out + errors)}`;
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}, message: ""`;
  }
}

/** Any answer will do. Where TLS was said and HTTP is spoken, HTTP is asked. */
async function http(h: NonNullable<Handler['httpGet']>, c: Container, podIP: string): Promise<string | null> {
  const headers = headersOf(h, 'lifecycle');
  try {
    const url = urlOf(h, c, podIP);
    try {
      await httpGet(url, headers, 0);
    } catch (error) {
      if (!String(error).includes('server gave HTTP response to HTTPS client')) throw error;
      const { authorization: _, Authorization: __, ...rest } = headers;
      await httpGet(new URL(url.href.replace(/^https:/, 'http:')), rest, 0);
    }
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
