import { milliValue, parseQuantity, wholeValue } from '../../kube/meta/quantity.ts';
import type { Amounts, Pod, PodContainer } from './framework.ts';

/** Upstream's assumption for containers that request nothing, in scores only: pkg/scheduler/util GetNonzeroRequests. */
const DEFAULT_MILLI_CPU = 100;
const DEFAULT_MEMORY = 200 * 1024 * 1024;

/** Quantities as numbers: cpu in milli, the rest whole. Unreadable ones count as zero. */
export function amounts(quantities: Readonly<Record<string, string>> | undefined): Amounts {
  const out: Amounts = {};
  for (const [name, text] of Object.entries(quantities ?? {})) {
    const q = parseQuantity(String(text));
    out[name] = q === null ? 0 : name === 'cpu' ? milliValue(q) : wholeValue(q);
  }
  return out;
}

export function add(a: Amounts, b: Amounts): Amounts {
  const out = { ...a };
  for (const [k, n] of Object.entries(b)) out[k] = (out[k] ?? 0) + n;
  return out;
}
function max(a: Amounts, b: Amounts): Amounts {
  const out = { ...a };
  for (const [k, n] of Object.entries(b)) out[k] = Math.max(out[k] ?? 0, n);
  return out;
}

/** What a pod asks for: containers together, init containers at their peak with the sidecars before them, overhead on top (component-helpers resource PodRequests). */
export function podRequests(pod: Pod, nonZero = false): Amounts {
  const of = (c: PodContainer): Amounts => {
    const own = amounts({ ...c.resources?.limits, ...c.resources?.requests });
    // A limit without a request stands for it; limits of other resources don't.
    for (const k of Object.keys(own))
      if (c.resources?.requests?.[k] === undefined && c.resources?.limits?.[k] === undefined) delete own[k];
    return nonZero ? { ...own, cpu: own.cpu ?? DEFAULT_MILLI_CPU, memory: own.memory ?? DEFAULT_MEMORY } : own;
  };
  let main: Amounts = {};
  for (const c of pod.spec.containers) main = add(main, of(c));
  let sidecars: Amounts = {};
  let peak: Amounts = {};
  for (const c of pod.spec.initContainers ?? []) {
    if (c.restartPolicy === 'Always') {
      main = add(main, of(c));
      sidecars = add(sidecars, of(c));
      peak = max(peak, sidecars);
    } else peak = max(peak, add(sidecars, of(c)));
  }
  return add(max(main, peak), amounts(pod.spec.overhead));
}
