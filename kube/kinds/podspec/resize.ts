import { forbidden, index, invalid } from '../../meta/issues.ts';
import { equalJson, type JsonObject } from '../../meta/json.ts';
import type { KubeObject } from '../../meta/object.ts';
import type { Issue } from '../../meta/status.ts';
import { copy, has, obj, objs, put, str, texts } from '../access.ts';
import { podQOS } from './qos.ts';

const SORTS = ['containers', 'initContainers'];

/** Takes resources, resizePolicy and emptyDir sizes from the new pod, everything else from the old one. */
export function keepResizable(next: KubeObject, prev: KubeObject): void {
  const now = obj(next.spec);
  const old = obj(prev.spec);
  if (SORTS.some((m) => objs(now[m]).length !== objs(old[m]).length)) return;
  const spec = copy(old);
  put(spec, 'resources', now.resources);
  for (const m of SORTS) {
    const given = objs(now[m]);
    for (const [i, c] of objs(spec[m]).entries()) {
      // A renamed container is kept as given, so that validation sees it.
      if (given[i]?.name !== c.name) put(c, 'name', given[i]?.name);
      for (const field of ['resources', 'resizePolicy']) put(c, field, given[i]?.[field]);
    }
  }
  next.spec = spec;
}

/** ValidatePodResize, of what keepResizable lets through. */
export function validateResize(next: KubeObject, prev: KubeObject): Issue[] {
  if (texts(prev.metadata.annotations)['kubernetes.io/config.mirror'] !== undefined) {
    return [forbidden('', 'static pods cannot be resized')];
  }
  const now = obj(next.spec);
  const old = obj(prev.spec);
  if (obj(old.os).name === 'windows') return [forbidden('', 'windows pods cannot be resized')];
  const issues: Issue[] = [];
  const qos = str(obj(prev.status).qosClass) || podQOS(old);
  if (qos !== podQOS(now)) {
    issues.push(
      invalid('spec', str(obj(next.status).qosClass), 'Pod QOS Class may not change as a result of resizing'),
    );
  }
  const order = ordering(now, old);
  if (order.length > 0) return [...issues, ...order];
  for (const m of ['initContainers', 'containers']) {
    const was = objs(old[m]);
    for (const [i, c] of objs(now[m]).entries()) {
      issues.push(...containerResize(`${index(`spec.${m}`, i)}.resources`, c, was[i] ?? {}));
      const others = { ...c, resources: withoutCompute(obj(c.resources)) };
      const before = { ...was[i], resources: withoutCompute(obj(was[i]?.resources)) };
      if (!equalJson(others, before)) {
        issues.push(
          m === 'containers'
            ? forbidden('spec', 'only cpu and memory resources are mutable')
            : forbidden(
                index('spec.initContainers', i),
                'only cpu and memory resources for init or sidecar containers are mutable',
              ),
        );
      }
    }
  }
  return issues;
}
function ordering(now: JsonObject, old: JsonObject): Issue[] {
  return SORTS.flatMap((m) => {
    const a = objs(now[m]);
    const b = objs(old[m]);
    if (a.length !== b.length) return [forbidden(`spec.${m}`, `${m} may not be added or removed on resize`)];
    return a.flatMap((c, i) =>
      c.name === b[i]?.name
        ? []
        : [forbidden(`${index(`spec.${m}`, i)}.name`, `${m} may not be renamed or reordered on resize`)],
    );
  });
}
function withoutCompute(r: JsonObject): JsonObject {
  const out = copy(r);
  for (const m of ['requests', 'limits']) {
    const list = out[m];
    if (!has(list)) continue;
    const rest = { ...obj(list) };
    delete rest.cpu;
    delete rest.memory;
    put(out, m, Object.keys(rest).length === 0 ? undefined : rest);
  }
  return out;
}
function containerResize(path: string, c: JsonObject, was: JsonObject): Issue[] {
  const issues: Issue[] = [];
  for (const m of ['requests', 'limits']) {
    const now = texts(obj(c.resources)[m]);
    const before = texts(obj(was.resources)[m]);
    if (Object.keys(before).some((k) => now[k] === undefined)) {
      issues.push(forbidden(`${path}.${m}`, `resource ${m} cannot be removed`));
    }
  }
  return issues;
}
