import { createHash } from 'node:crypto';
import type { JsonObject } from '../../../kube/meta/json.ts';
import { selects } from '../../../kube/meta/selectors.ts';
import type { Projection } from '../pod.ts';

/** ClusterTrustBundles by a field selector: of one name, or of one signer. */
export interface TrustBundles {
  trustBundles(field: string): Promise<readonly JsonObject[]>;
}

type Source = NonNullable<Projection['clusterTrustBundle']>;

/** The trust anchors that a projection asks for as PEM: each once, in an order that says nothing. */
export async function trustAnchors(s: Source, bundles: TrustBundles): Promise<string> {
  if (s.name !== undefined) {
    const [found] = await bundles.trustBundles(`metadata.name=${s.name}`);
    if (found) return normalized([found]);
    if (s.optional) return '';
    const what = `clustertrustbundle.certificates.k8s.io ${JSON.stringify(s.name)} not found`;
    throw new Error(`while getting ClusterTrustBundle: ${what}`);
  }
  if (s.signerName === undefined)
    throw new Error('ClusterTrustBundle projection requires either name or signerName to be set');
  // No selector selects nothing, an empty one everything.
  const all = s.labelSelector ? await bundles.trustBundles(`spec.signerName=${s.signerName}`) : [];
  const found = all.filter((b) => selects(s.labelSelector, labelsOf(b)));
  if (found.length > 0) return normalized(found);
  if (s.optional) return '';
  throw new Error('combination of signerName and labelSelector matched zero ClusterTrustBundles');
}

const labelsOf = (o: JsonObject) => ((o.metadata as JsonObject).labels ?? {}) as Record<string, string>;

const BLOCK = /-----BEGIN [A-Z ]+-----\s*([A-Za-z0-9+/=\s]+?)-----END [A-Z ]+-----/g;
const LINE = 64;

function normalized(bundles: readonly JsonObject[]): string {
  const anchors = new Set<string>();
  for (const b of bundles)
    for (const [, body = ''] of String((b.spec as JsonObject).trustBundle ?? '').matchAll(BLOCK))
      anchors.add(body.replace(/\s+/g, ''));
  const order = (a: string) => createHash('sha256').update(a).digest('hex');
  const sorted = [...anchors].sort((a, b) => (order(a) < order(b) ? -1 : 1));
  const lines = (a: string) => a.match(new RegExp(`.{1,${LINE}}`, 'g'))?.join('\n') ?? '';
  return sorted.map((a) => `-----BEGIN CERTIFICATE-----\n${lines(a)}\n-----END CERTIFICATE-----\n`).join('');
}
