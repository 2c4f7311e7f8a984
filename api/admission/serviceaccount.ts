import { has, make, obj, objs, str } from '../../kube/kinds/access.ts';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import { pathSegmentName } from '../../kube/meta/names.ts';
import { keyOf } from '../../kube/store/key.ts';
import type { Admission, AdmissionContext, Attributes, PolicyView } from '../attributes.ts';
import { generatedName } from '../write.ts';
import { isMirror, namesSecrets, specOf } from './pod.ts';
import { refuse } from './refuse.ts';

const VOLUME_PREFIX = 'kube-api-access-';
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
/** A new namespace's ServiceAccount `default` is made by a controller: this many looks, 100 to 200 ms apart. */
const DEFAULT_TRIES = 10;
/** 1 h and 7 s: the odd number by which TokenRequest knows a kubelet's token and lets it live longer. */
const TOKEN_SECONDS = 3_607;

/** Every pod runs as a ServiceAccount that exists, and gets its token mounted and its pull secrets. */
export const serviceAccount: Admission = {
  name: 'ServiceAccount',
  handles: (a) =>
    a.resource === 'pods' &&
    a.group === '' &&
    a.object !== null &&
    (a.operation === 'CREATE' || a.operation === 'UPDATE') &&
    (a.subresource === '' || a.subresource === 'ephemeralcontainers'),
  mutate(a, c) {
    if (a.operation !== 'CREATE' || a.subresource !== '' || a.object === null || isMirror(a.object)) return;
    const spec = make(a.object, 'spec');
    if (str(spec.serviceAccountName) === '') {
      spec.serviceAccountName = 'default';
      spec.serviceAccount = 'default';
    }
    const name = str(spec.serviceAccountName);
    const key = keyOf('', 'serviceaccounts', a.namespace, name);
    if (c.view.get(key) !== undefined) return withAccount(a, spec, c);
    const tries = name === 'default' ? DEFAULT_TRIES : 1;
    // Upstream draws one interval for all its tries.
    const ms = 100 + Math.floor(c.cluster.env.random() * 100);
    return c.awaitObject?.(key, tries, ms).then(() => withAccount(a, spec, c)) ?? withAccount(a, spec, c);
  },
  validate(a, c) {
    const pod = a.object;
    if (pod === null) return undefined;
    const spec = specOf(pod);
    if (a.operation === 'UPDATE') {
      if (a.subresource === 'ephemeralcontainers') checkAccount(a, spec, c.view, ['ephemeralContainers']);
      return undefined;
    }
    if (isMirror(pod)) checkMirror(a, spec);
    else checkAccount(a, spec, c.view, ['initContainers', 'containers']);
    return undefined;
  },
};

function withAccount(a: Attributes, spec: JsonObject, c: AdmissionContext): void {
  const sa = lookUp(a, str(spec.serviceAccountName), c.view);
  if (automounts(spec, sa)) mountToken(spec, () => generatedName(VOLUME_PREFIX, () => c.cluster.env.random()));
  if (objs(spec.imagePullSecrets).length === 0 && objs(sa.imagePullSecrets).length > 0) {
    spec.imagePullSecrets = objs(sa.imagePullSecrets).map((s) => ({ name: str(s.name) }));
  }
}

function lookUp(a: Attributes, name: string, view: PolicyView): JsonObject {
  const row = view.get(keyOf('', 'serviceaccounts', a.namespace, name));
  if (row !== undefined) return row.data;
  const where = `${a.namespace}/${name}`;
  const [problem] = pathSegmentName(name);
  if (problem !== undefined) {
    throw refuse(
      a,
      `error looking up service account ${where}: invalid resource name ${JSON.stringify(name)}: [${problem}]`,
    );
  }
  throw refuse(a, `error looking up service account ${where}: serviceaccount ${JSON.stringify(name)} not found`);
}

/** The pod's wish first, then the account's; yes by default. */
function automounts(spec: JsonObject, sa: JsonObject): boolean {
  if (has(spec.automountServiceAccountToken)) return spec.automountServiceAccountToken === true;
  return has(sa.automount) ? sa.automount === true : true;
}

function mountToken(spec: JsonObject, newName: () => string): void {
  const existing = objs(spec.volumes).find((v) => str(v.name).startsWith(VOLUME_PREFIX));
  const name = existing ? str(existing.name) : newName();
  let needed = false;
  for (const c of [...objs(spec.initContainers), ...objs(spec.containers)]) {
    const mounts = objs(c.volumeMounts);
    // A mount of one's own at that path wins.
    if (mounts.some((m) => m.mountPath === MOUNT_PATH)) continue;
    c.volumeMounts = [...mounts, { name, readOnly: true, mountPath: MOUNT_PATH }];
    needed = true;
  }
  if (needed && existing === undefined) spec.volumes = [...objs(spec.volumes), { name, projected: tokenVolume() }];
}

/** Token, the cluster's CA and the namespace, as pods expect them. */
const tokenVolume = (): JsonObject => ({
  sources: [
    { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    {
      downwardAPI: {
        items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
      },
    },
  ],
  defaultMode: 0o644,
});

function checkMirror(a: Attributes, spec: JsonObject): void {
  if (str(spec.serviceAccountName) !== '') throw refuse(a, 'a mirror pod may not reference service accounts');
  if (namesSecrets(spec)) throw refuse(a, 'a mirror pod may not reference secrets');
  const sources = objs(spec.volumes).flatMap((v) => objs(obj(v.projected).sources));
  if (sources.some((s) => has(s.serviceAccountToken))) {
    throw refuse(a, 'a mirror pod may not use ServiceAccountToken volume projections');
  }
}

function checkAccount(a: Attributes, spec: JsonObject, view: PolicyView, lists: readonly string[]): void {
  const name = str(spec.serviceAccountName);
  if (name === '') {
    throw refuse(a, `no service account specified for pod ${a.namespace}/${a.object?.metadata.name ?? ''}`);
  }
  const sa = lookUp(a, name, view);
  if (!isTrue(sa.enforceMountable)) return;
  const problem = unmountable(spec, sa, name, lists);
  if (problem !== '') throw refuse(a, problem);
}

/** strconv.ParseBool's yes. */
const isTrue = (v: Json | undefined): boolean => ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(str(v));

const TITLES: Readonly<Record<string, string>> = {
  initContainers: 'init container',
  containers: 'container',
  ephemeralContainers: 'ephemeral container',
};

/** The first Secret that the account doesn't list (annotation kubernetes.io/enforce-mountable-secrets). */
function unmountable(spec: JsonObject, sa: JsonObject, account: string, lists: readonly string[]): string {
  const may = new Set(objs(sa.secrets).map((s) => str(s.name)));
  const why = `is not allowed because service account ${account} does not reference that secret`;
  const ephemeral = lists[0] === 'ephemeralContainers';
  for (const v of ephemeral ? [] : objs(spec.volumes)) {
    const name = str(obj(v.secret).secretName);
    if (has(v.secret) && !may.has(name)) return `volume with secret.secretName="${name}" ${why}`;
  }
  for (const list of lists) {
    for (const c of objs(spec[list])) {
      const title = `${TITLES[list]} ${str(c.name)}`;
      for (const e of objs(c.env)) {
        const ref = obj(e.valueFrom).secretKeyRef;
        if (has(ref) && !may.has(str(obj(ref).name))) {
          return `${title} with envVar ${str(e.name)} referencing secret.secretName="${str(obj(ref).name)}" ${why}`;
        }
      }
      for (const e of objs(c.envFrom)) {
        const name = str(obj(e.secretRef).name);
        if (has(e.secretRef) && !may.has(name)) {
          return `${title} with envFrom referencing secret.secretName="${name}" ${why}`;
        }
      }
    }
  }
  if (ephemeral) return '';
  const pulls = new Set(objs(sa.imagePullSecrets).map((s) => str(s.name)));
  const at = objs(spec.imagePullSecrets).findIndex((s) => !pulls.has(str(s.name)));
  if (at < 0) return '';
  const name = str(objs(spec.imagePullSecrets)[at]?.name);
  return `imagePullSecrets[${at}].name="${name}" is not allowed because service account ${account} does not reference that imagePullSecret`;
}
