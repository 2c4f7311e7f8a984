import type { IncomingMessage } from 'node:http';
import type { Agent } from 'node:https';
import { ask, open } from './http.ts';
import type { Target } from './load.ts';

/** A watch that goes on by revision, as client libraries do. */
export interface Watcher {
  /** Events by `type name revision`. */
  events: Set<string>;
  revision: number;
  /** Where it began: what was written before isn't shown. */
  began: number;
  /** How its responses ended. */
  clean: number;
  broken: number;
  violations: string[];
  end(): Promise<void>;
}

const AGAIN_MS = 300;
const PATH = '/api/v1/namespaces/default/configmaps';

/** Watches the ConfigMaps of the default namespace through the load balancer. */
export function startWatcher(target: Target, url: string, agent: Agent, closed: AbortSignal): Watcher {
  let over = false;
  let current: IncomingMessage | undefined;
  const w: Watcher = {
    events: new Set(),
    revision: 0,
    began: 0,
    clean: 0,
    broken: 0,
    violations: [],
    async end() {
      over = true;
      current?.destroy();
      await running;
    },
  };
  const once = async () => {
    if (w.revision === 0) {
      const list = await ask(agent, 'GET', `${url}${target.path}${PATH}?limit=1`, { token: target.token });
      if (list.code !== 200) return;
      w.revision = Number((list.body.metadata as { resourceVersion: string }).resourceVersion);
      w.began = w.revision;
    }
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${w.revision}`;
    current = await open(agent, `${url}${target.path}${PATH}?${query}`, target.token);
    if (current.statusCode !== 200) {
      current.resume();
      return;
    }
    let rest = '';
    current.setEncoding('utf8');
    for await (const chunk of current) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(w, target, line);
    }
    w.clean++;
  };
  const running = (async () => {
    while (!over && !closed.aborted) {
      await once().catch(() => {
        if (!over && !closed.aborted) w.broken++;
      });
      await new Promise((r) => setTimeout(r, AGAIN_MS));
    }
  })();
  return w;
}

function take(w: Watcher, target: Target, line: string): void {
  const event = JSON.parse(line) as {
    type: string;
    object: { metadata?: { name: string; resourceVersion: string }; code?: number };
  };
  if (event.type === 'ERROR') {
    w.violations.push(`${target.name}: the watch at ${w.revision} ended with ${event.object.code}`);
    w.revision = 0;
    return;
  }
  const { name, resourceVersion } = event.object.metadata ?? { name: '', resourceVersion: '0' };
  const revision = Number(resourceVersion);
  const repeats = event.type === 'BOOKMARK' ? revision < w.revision : revision <= w.revision;
  if (repeats) w.violations.push(`${target.name}: ${event.type} ${name} at ${revision} after ${w.revision}`);
  w.revision = Math.max(w.revision, revision);
  if (event.type !== 'BOOKMARK') w.events.add(`${event.type} ${name} ${revision}`);
}
