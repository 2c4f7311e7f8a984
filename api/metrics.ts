// Counters of an isolate. Isolates come and go, so these are samples of one; durable counts are the store's.

const requests = new Map<string, number>();
/** Distinct label sets are few (verbs, resources, codes); a client that makes them up fills no memory. */
const SERIES_MAX = 4_096;

/** Counts an answered request. */
export function countRequest(verb: string, group: string, version: string, resource: string, code: number): void {
  const labels = `code="${code}",group="${group}",resource="${resource}",verb="${verb.toUpperCase()}",version="${version}"`;
  const n = requests.get(labels);
  if (n === undefined && requests.size >= SERIES_MAX) return;
  requests.set(labels, (n ?? 0) + 1);
}

/** The counters in Prometheus' text format. */
export function metricsText(): string {
  let text =
    '# HELP kubernetes_build_info [ALPHA] Version served by this isolate.\n# TYPE kubernetes_build_info gauge\nkubernetes_build_info{git_version="v1.37.1",major="1",minor="37"} 1\n';
  text +=
    '# HELP apiserver_request_total [STABLE] Requests answered by this isolate.\n# TYPE apiserver_request_total counter\n';
  for (const [labels, n] of requests) text += `apiserver_request_total{${labels}} ${n}\n`;
  return text;
}
