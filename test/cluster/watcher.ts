import type { IncomingMessage } from 'node:http';
import type { Agent } from 'node:https';
import { open } from './http.ts';
import type { Target } from './load.ts';

/** A watch that goes on by revision, as client libraries do. */
export interface Watcher {
  /** Events by `type name revision`. */
  events: Set<string>;
  revision: number;
  /** How its responses ended. */
  clean: number;
  broken: number;
  violations: string[];
  end(): Promise<void>;
}

const AGAIN_MS = 300;

/** Watches the ConfigMaps of the default namespace through the load balancer. */
export function startWatcher(target: Target, url: string, agent: Agent, closed: AbortSignal): Watcher {
  let over = false;
  let current: IncomingMessage | undefined;
  const w: Watcher = {
    events: new Set(),
    revision: 0,
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
    const at = w.revision === 0 ? '' : `&resourceVersion=${w.revision}`;
    const query = `watch=1&allowWatchBookmarks=true${at}`;
    current = await open(agent, `${url}${target.path}/api/v1/namespaces/default/configmaps?${query}`, target.token);
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
  // The first response lists what is there, in order of names.
  if (repeats && w.clean + w.broken > 0)
    w.violations.push(`${target.name}: ${event.type} ${name} at ${revision} after ${w.revision}`);
  w.revision = Math.max(w.revision, revision);
  if (event.type !== 'BOOKMARK') w.events.add(`${event.type} ${name} ${revision}`);
}
