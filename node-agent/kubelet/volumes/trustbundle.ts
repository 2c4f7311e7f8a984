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
const LINE = /.{1,64}/g;

/** The contents of a text's PEM blocks, in base64 without line ends; what lies between them is left out. */
export const pemBlocks = (text: string): string[] =>
  [...text.matchAll(BLOCK)].map(([, body = '']) => body.replace(/\s+/g, ''));

/** One certificate as PEM. */
export const printPem = (body: string): string =>
  `-----BEGIN CERTIFICATE-----\n${body.match(LINE)?.join('\n') ?? ''}\n-----END CERTIFICATE-----\n`;

function normalized(bundles: readonly JsonObject[]): string {
  const anchors = new Set(bundles.flatMap((b) => pemBlocks(String((b.spec as JsonObject).trustBundle ?? ''))));
  const order = (a: string) => createHash('sha256').update(a).digest('hex');
  return [...anchors]
    .sort((a, b) => (order(a) < order(b) ? -1 : 1))
    .map(printPem)
    .join('');
}
