import type * as v from 'valibot';
import { bytesOfBase64 } from '../../kube/codec/base64.ts';
import { serviceCIDR } from '../../kube/kinds/serviceips.ts';
import { badRequest } from '../../kube/meta/status.ts';
import { API_ENDPOINT, apiService } from '../../kube/wire/clusteraddresses.ts';
import type { NewServing, ServingAnswer } from '../../kube/wire/serving.ts';
import { newServingCertificate } from './authority.ts';

/** What clients in a cluster call its API: kubeadm's names of kube-apiserver's certificate. */
const NAMES = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];

/** Answers a node that wants to serve its cluster's API, with a certificate (PEM). The caller has made sure who asks; throws BadRequest for a bad key. */
export async function servingAnswer(
  { publicKey, domain }: v.InferOutput<typeof NewServing>,
  ca: { pem: string; key: JsonWebKey },
  now: number,
): Promise<v.InferOutput<typeof ServingAnswer>> {
  const names = {
    dns: [...NAMES, `kubernetes.default.svc.${domain}`],
    ips: [apiService(serviceCIDR()).address, API_ENDPOINT.address],
  };
  const key = bytesOfBase64(publicKey);
  // A key that can't be read is the client's mistake, whatever the library says of it.
  const certificate =
    typeof key === 'number'
      ? null
      : await newServingCertificate(ca, Uint8Array.from(key), names, now).catch(() => null);
  if (certificate === null) throw badRequest('publicKey: the SPKI of a P-256 key in base64 is needed');
  return { certificate };
}
