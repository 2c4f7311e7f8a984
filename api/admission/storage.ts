import { has, make, obj, str } from '../../kube/kinds/access.ts';
import { CLASS_ANNOTATION } from '../../kube/kinds/ingress.ts';
import { BETA_CLASS } from '../../kube/kinds/persistentvolume.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { compareQuantities, quantity } from '../../kube/meta/quantity.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Admission, PolicyView } from '../attributes.ts';
import { isMain, refuse } from './refuse.ts';

const STORAGE_CLASSES = 'storageclasses.storage.k8s.io';
const INGRESS_CLASSES = 'ingressclasses.networking.k8s.io';

/** The default class of a resource: the newest of several, then by name; '' for none. */
function defaultClass(view: PolicyView, resource: string): string {
  return view.compiled(`default ${resource}`, (v) => {
    let best = { name: '', created: '' };
    for (const row of v.list(resource)) {
      const created = str(row.data.created);
      // Rows come in order of names; times are RFC 3339 in UTC.
      if (row.data.isDefault === true && (best.name === '' || created > best.created)) {
        best = { name: parseKey(row.key).name, created };
      }
    }
    return best.name;
  });
}

/** A claim without a class gets the default one. */
export const defaultStorageClass: Admission = {
  name: 'DefaultStorageClass',
  handles: (a) => isMain(a, 'persistentvolumeclaims') && a.operation === 'CREATE',
  mutate(a, c) {
    if (a.object === null || a.object.metadata.annotations?.[BETA_CLASS] !== undefined) return;
    const spec = make(a.object, 'spec');
    const name = defaultClass(c.view, STORAGE_CLASSES);
    if (!has(spec.storageClassName) && name !== '') spec.storageClassName = name;
  },
};

/** An Ingress without a class gets the default one. */
export const defaultIngressClass: Admission = {
  name: 'DefaultIngressClass',
  handles: (a) => isMain(a, 'ingresses', 'networking.k8s.io') && a.operation === 'CREATE',
  mutate(a, c) {
    if (a.object === null || a.object.metadata.annotations?.[CLASS_ANNOTATION] !== undefined) return;
    const spec = make(a.object, 'spec');
    const name = defaultClass(c.view, INGRESS_CLASSES);
    if (!has(spec.ingressClassName) && name !== '') spec.ingressClassName = name;
  },
};

/** What keeps an object in use from being deleted, by resource; the controller of that name takes it off. */
const FINALIZERS: Readonly<Record<string, readonly [group: string, finalizer: string]>> = {
  persistentvolumes: ['', 'kubernetes.io/pv-protection'],
  persistentvolumeclaims: ['', 'kubernetes.io/pvc-protection'],
  volumeattributesclasses: ['storage.k8s.io', 'kubernetes.io/vac-protection'],
};

export const storageObjectInUseProtection: Admission = {
  name: 'StorageObjectInUseProtection',
  handles: (a) => a.operation === 'CREATE' && a.subresource === '' && FINALIZERS[a.resource]?.[0] === a.group,
  mutate(a) {
    addFinalizer(a.object, FINALIZERS[a.resource]?.[1] ?? '');
  },
};

export const podGroupProtection: Admission = {
  name: 'PodGroupProtection',
  handles: (a) => isMain(a, 'podgroups', 'scheduling.k8s.io') && a.operation === 'CREATE',
  mutate(a) {
    addFinalizer(a.object, 'scheduling.k8s.io/podgroup-protection');
  },
};

function addFinalizer(o: KubeObject | null, finalizer: string): void {
  if (o === null) return;
  const list = o.metadata.finalizers ?? [];
  if (!list.includes(finalizer)) o.metadata.finalizers = [...list, finalizer];
}

/** A claim grows only when it's bound and its class allows it. */
export const persistentVolumeClaimResize: Admission = {
  name: 'PersistentVolumeClaimResize',
  handles: (a) => isMain(a, 'persistentvolumeclaims') && a.operation === 'UPDATE',
  validate(a, c) {
    if (a.object === null || a.oldObject === null) return undefined;
    const size = (o: KubeObject) => quantity(obj(obj(obj(o.spec).resources).requests).storage ?? '0');
    if (compareQuantities(size(a.object), size(a.oldObject)) <= 0) return undefined;
    if (obj(a.oldObject.status).phase !== 'Bound') {
      throw refuse(a, 'Only bound persistent volume claims can be expanded');
    }
    const [now, before] = [classOf(a.object), classOf(a.oldObject)];
    const allows = c.view.get(`${STORAGE_CLASSES}/${now}`)?.data.allowVolumeExpansion === true;
    if (now === '' || now !== before || !allows) {
      const why =
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize';
      throw refuse(a, why);
    }
    return undefined;
  },
};
const classOf = (o: KubeObject): string => o.metadata.annotations?.[BETA_CLASS] ?? str(obj(o.spec).storageClassName);
