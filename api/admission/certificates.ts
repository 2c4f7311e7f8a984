import { obj, str } from '../../kube/kinds/access.ts';
import { quote } from '../../kube/meta/issues.ts';
import { equalJson } from '../../kube/meta/json.ts';
import type { Admission, AdmissionContext, Attributes } from '../attributes.ts';
import { organizationsOf } from './csr.ts';
import { sameList } from './nodelabels.ts';
import { isMain, refuse } from './refuse.ts';

const GROUP = 'certificates.k8s.io';
const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
const isRequest = (a: Attributes, subresource: string) =>
  a.resource === 'certificatesigningrequests' && a.group === GROUP && a.subresource === subresource;
const signerOf = (o: Attributes['object']): string => str(obj(o?.spec).signerName);

/** Approving needs the verb approve on the signer, by its old name. */
export const certificateApproval: Admission = {
  name: 'CertificateApproval',
  handles: (a) => a.operation === 'UPDATE' && isRequest(a, 'approval'),
  async validate(a, c) {
    const signer = signerOf(a.oldObject);
    if (await maySign(a, c, 'approve', signer)) return undefined;
    throw refuse(a, `user not permitted to approve requests with signerName ${quote(signer)}`);
  },
};

/** Writing a certificate or a condition needs the verb sign on the signer. */
export const certificateSigning: Admission = {
  name: 'CertificateSigning',
  handles: (a) => a.operation === 'UPDATE' && isRequest(a, 'status'),
  async validate(a, c) {
    const [next, prev] = [obj(a.object?.status), obj(a.oldObject?.status)];
    if (equalJson(next.certificate, prev.certificate) && sameList(next.conditions, prev.conditions)) return undefined;
    const signer = signerOf(a.oldObject);
    if (await maySign(a, c, 'sign', signer)) return undefined;
    throw refuse(a, `user not permitted to sign requests with signerName ${quote(signer)}`);
  },
};

/** Nobody asks for a client certificate of system:masters. */
export const certificateSubjectRestriction: Admission = {
  name: 'CertificateSubjectRestriction',
  handles: (a) => a.operation === 'CREATE' && isRequest(a, ''),
  validate(a) {
    if (signerOf(a.object) !== CLIENT_SIGNER) return undefined;
    const organizations = organizationsOf(str(obj(a.object?.spec).request));
    if (organizations === null) {
      throw refuse(a, 'failed to parse CSR: PEM block type must be CERTIFICATE REQUEST');
    }
    if (organizations.includes('system:masters')) {
      throw refuse(a, `use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`);
    }
    return undefined;
  },
};

/** A trust bundle of a signer needs the verb attest on it. */
export const clusterTrustBundleAttest: Admission = {
  name: 'ClusterTrustBundleAttest',
  handles: (a) => (a.operation === 'CREATE' || a.operation === 'UPDATE') && isMain(a, 'clustertrustbundles', GROUP),
  async validate(a, c) {
    const signer = signerOf(a.object);
    if (signer === '' || (a.operation === 'UPDATE' && equalJson(a.object?.spec, a.oldObject?.spec))) return undefined;
    if (await maySign(a, c, 'attest', signer)) return undefined;
    throw refuse(a, `user not permitted to attest for signerName ${quote(signer)}`);
  },
};

/** The right on this signer or on all of its domain: pkg/certauthorization. */
async function maySign(a: Attributes, c: AdmissionContext, verb: string, signer: string): Promise<boolean> {
  for (const name of [signer, `${signer.split('/')[0] ?? ''}/*`]) {
    const decision = await c.authorize(a.user, {
      isResource: true,
      path: '',
      verb,
      group: GROUP,
      version: '*',
      resource: 'signers',
      subresource: '',
      namespace: '',
      name,
      rest: [],
    });
    if (decision !== 'no-opinion' && decision.allow) return true;
  }
  return false;
}
