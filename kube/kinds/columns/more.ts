import type { Column } from '../../codec/table.ts';
import type { Json } from '../../meta/json.ts';
import { groupResource, type KubeObject } from '../../meta/object.ts';
import { printSelector } from '../../meta/selectors.ts';
import { bool, has, list, num, obj, objs, str, texts } from '../access.ts';
import {
  age,
  flag,
  formatLabels,
  formatSelector,
  humanDuration,
  integer,
  listWithMore,
  name,
  or,
  since,
  spec,
  status,
  text,
} from './column.ts';
import { ingressAddresses } from './core.ts';

const webhooks: readonly Column[] = [name(), integer('Webhooks', (o) => list(o.webhooks).length), age];
const binding: readonly Column[] = [
  name(),
  text('PolicyName', (o) => str(spec(o).policyName)),
  text('ParamRef', paramRef),
  age,
];
const policy = (column: string, member: string): readonly Column[] => [
  name(),
  integer(column, (o) => list(spec(o)[member]).length),
  text('ParamKind', (o) => {
    const kind = obj(spec(o).paramKind);
    return has(spec(o).paramKind) ? `${str(kind.apiVersion)}/${str(kind.kind)}` : '<unset>';
  }),
  age,
];
const roleBinding: readonly Column[] = [
  name(),
  text('Role', (o) => `${str(obj(o.roleRef).kind)}/${str(obj(o.roleRef).name)}`),
  age,
  text('Users', (o) => subjects(o, 'User'), true),
  text('Groups', (o) => subjects(o, 'Group'), true),
  text('ServiceAccounts', (o) => subjects(o, 'ServiceAccount'), true),
];
const plain: readonly Column[] = [name(), age];
const limited = (o: KubeObject) => obj(spec(o).limited);
const queuing = (o: KubeObject) => obj(obj(limited(o).limitResponse).queuing);
const orNone = (v: Json | undefined): Json => (has(v) ? (v as Json) : '<none>');
const isDefault = (annotation: string) => (o: KubeObject) =>
  texts(o.metadata.annotations)[annotation] === 'true' ? ' (default)' : '';

/** Columns of the other groups by groupResource. */
export const MORE: Readonly<Record<string, readonly Column[]>> = {
  'ingresses.networking.k8s.io': [
    name(),
    text('Class', (o) => or(spec(o).ingressClassName, '<none>')),
    text('Hosts', hosts),
    text('Address', (o) => ingressAddresses(status(o)).join(',')),
    text('Ports', (o) => (list(spec(o).tls).length > 0 ? '80, 443' : '80')),
    age,
  ],
  'ingressclasses.networking.k8s.io': [
    name(isDefault('ingressclass.kubernetes.io/is-default-class')),
    text('Controller', (o) => str(spec(o).controller)),
    text('Parameters', (o) => {
      const p = obj(spec(o).parameters);
      if (!has(spec(o).parameters)) return '<none>';
      return `${str(p.kind)}${has(p.apiGroup) ? `.${str(p.apiGroup)}` : ''}/${str(p.name)}`;
    }),
    age,
  ],
  'networkpolicies.networking.k8s.io': [
    name(),
    text('Pod-Selector', (o) => formatSelector(obj(spec(o).podSelector))),
    age,
  ],
  'servicecidrs.networking.k8s.io': [name(), text('CIDRs', (o) => list(spec(o).cidrs).join(',')), age],
  'ipaddresses.networking.k8s.io': [
    name(),
    text('ParentRef', (o) => {
      const ref = obj(spec(o).parentRef);
      if (!has(spec(o).parentRef)) return '<none>';
      const parts = [groupResource(str(ref.group), str(ref.resource)).toLowerCase()];
      if (str(ref.namespace) !== '') parts.push(str(ref.namespace));
      return [...parts, str(ref.name)].join('/');
    }),
  ],
  'endpointslices.discovery.k8s.io': [
    name(),
    text('AddressType', (o) => str(o.addressType)),
    text('Ports', (o) => listWithMore(objs(o.ports).map((p) => (has(p.port) ? String(p.port) : or(p.name, '*'))))),
    text('Endpoints', (o) => listWithMore(objs(o.endpoints).flatMap((e) => list(e.addresses).map(String)))),
    age,
  ],
  'leases.coordination.k8s.io': [name(), text('Holder', (o) => str(spec(o).holderIdentity)), age],
  'leasecandidates.coordination.k8s.io': [
    name(),
    text('LeaseName', (o) => str(spec(o).leaseName)),
    text('BinaryVersion', (o) => str(spec(o).binaryVersion)),
    text('EmulationVersion', (o) => str(spec(o).emulationVersion)),
    age,
  ],
  'storageclasses.storage.k8s.io': [
    // Upstream marks the effective default in lists only, which one object can't know.
    name(),
    text('Provisioner', (o) => str(o.provisioner)),
    text('ReclaimPolicy', (o) => or(o.reclaimPolicy, 'Delete')),
    text('VolumeBindingMode', (o) => or(o.volumeBindingMode, 'Immediate')),
    text('AllowVolumeExpansion', (o) => bool(o.allowVolumeExpansion)),
    age,
  ],
  'volumeattributesclasses.storage.k8s.io': [name(), text('DriverName', (o) => str(o.driverName)), age],
  'volumeattachments.storage.k8s.io': [
    name(),
    { ...text('Attacher', (o) => str(spec(o).attacher)), format: 'name' },
    text('PV', (o) => str(obj(spec(o).source).persistentVolumeName)),
    text('Node', (o) => str(spec(o).nodeName)),
    flag('Attached', (o) => bool(status(o).attached)),
    age,
  ],
  'csinodes.storage.k8s.io': [name(), integer('Drivers', (o) => list(spec(o).drivers).length), age],
  'csidrivers.storage.k8s.io': [
    name(),
    flag('AttachRequired', (o) => spec(o).attachRequired !== false),
    flag('PodInfoOnMount', (o) => bool(spec(o).podInfoOnMount)),
    flag('StorageCapacity', (o) => bool(spec(o).storageCapacity)),
    text('TokenRequests', (o) =>
      has(spec(o).tokenRequests)
        ? objs(spec(o).tokenRequests)
            .map((t) => str(t.audience))
            .join(',')
        : '<unset>',
    ),
    flag('RequiresRepublish', (o) => bool(spec(o).requiresRepublish)),
    text('Modes', (o) => list(spec(o).volumeLifecycleModes).join(',') || '<none>'),
    age,
  ],
  'csistoragecapacities.storage.k8s.io': [
    name(),
    text('StorageClassName', (o) => str(o.storageClassName)),
    text('Capacity', (o) => or(o.capacity, '<unset>')),
  ],
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': webhooks,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': webhooks,
  'validatingadmissionpolicies.admissionregistration.k8s.io': policy('Validations', 'validations'),
  'mutatingadmissionpolicies.admissionregistration.k8s.io': policy('Mutations', 'mutations'),
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': binding,
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': binding,
  'rolebindings.rbac.authorization.k8s.io': roleBinding,
  'clusterrolebindings.rbac.authorization.k8s.io': roleBinding,
  'certificatesigningrequests.certificates.k8s.io': [
    name(),
    age,
    text('SignerName', (o) => str(spec(o).signerName) || '<none>'),
    text('Requestor', (o) => str(spec(o).username)),
    text('RequestedDuration', (o) =>
      has(spec(o).expirationSeconds) ? humanDuration(num(spec(o).expirationSeconds) * 1000) : '<none>',
    ),
    text('Condition', csrCondition),
  ],
  'clustertrustbundles.certificates.k8s.io': [name(), text('SignerName', (o) => str(spec(o).signerName) || '<none>')],
  'podcertificaterequests.certificates.k8s.io': [
    name(),
    text('PodName', (o) => str(spec(o).podName)),
    text('ServiceAccountName', (o) => str(spec(o).serviceAccountName)),
    text('NodeName', (o) => str(spec(o).nodeName)),
    text('SignerName', (o) => str(spec(o).signerName)),
    text('State', (o) =>
      objs(status(o).conditions).reduce(
        (state, c) => (['Issued', 'Denied', 'Failed'].includes(str(c.type)) ? str(c.type) : state),
        'Pending',
      ),
    ),
    text('UnverifiedUserAnnotations', (o) => formatLabels(spec(o).unverifiedUserAnnotations)),
  ],
  'priorityclasses.scheduling.k8s.io': [
    name(),
    integer('Value', (o) => num(o.value)),
    flag('Global-Default', (o) => bool(o.globalDefault)),
    age,
    text('PreemptionPolicy', (o) => str(o.preemptionPolicy)),
  ],
  'runtimeclasses.node.k8s.io': [name(), text('Handler', (o) => str(o.handler)), age],
  'flowschemas.flowcontrol.apiserver.k8s.io': [
    name(),
    text('PriorityLevel', (o) => str(obj(spec(o).priorityLevelConfiguration).name)),
    text('MatchingPrecedence', (o) => num(spec(o).matchingPrecedence)),
    text('DistinguisherMethod', (o) => or(obj(spec(o).distinguisherMethod).type, '<none>')),
    age,
    text('MissingPL', (o) => or(objs(status(o).conditions).find((c) => c.type === 'Dangling')?.status, '?')),
  ],
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': [
    name(),
    text('Type', (o) => str(spec(o).type)),
    text('NominalConcurrencyShares', (o) => orNone(limited(o).nominalConcurrencyShares)),
    text('Queues', (o) => orNone(queuing(o).queues)),
    text('HandSize', (o) => orNone(queuing(o).handSize)),
    text('QueueLengthLimit', (o) => orNone(queuing(o).queueLengthLimit)),
    age,
  ],
  'deviceclasses.resource.k8s.io': plain,
  'resourceclaimtemplates.resource.k8s.io': plain,
  'resourceclaims.resource.k8s.io': [name(), text('State', claimState), age],
  'resourceslices.resource.k8s.io': [
    name(),
    text('Node', (o) => str(spec(o).nodeName)),
    text('Driver', (o) => str(spec(o).driver)),
    text('Pool', (o) => str(obj(spec(o).pool).name)),
    age,
  ],
  'devicetaintrules.resource.k8s.io': [
    name(),
    text('Key', (o) => str(obj(spec(o).taint).key)),
    text('Value', (o) => str(obj(spec(o).taint).value)),
    text('Effect', (o) => str(obj(spec(o).taint).effect)),
    text('TimeAdded', (o, now) => (has(obj(spec(o).taint).timeAdded) ? since(obj(spec(o).taint).timeAdded, now) : '')),
    age,
  ],
  'storageversionmigrations.storagemigration.k8s.io': [
    text('Name', (o) => str(o.metadata.name)),
    text('Resource', (o) => groupResource(str(obj(spec(o).resource).group), str(obj(spec(o).resource).resource))),
    text('Status', (o) =>
      objs(status(o).conditions).reduce(
        (found, c) =>
          c.status === 'True' && ['Running', 'Failed', 'Succeeded'].includes(str(c.type)) ? str(c.type) : found,
        'Unknown',
      ),
    ),
  ],
  'customresourcedefinitions.apiextensions.k8s.io': [
    name(),
    text('Scope', (o) => str(spec(o).scope)),
    text('Versions', (o) =>
      objs(spec(o).versions)
        .filter((v) => bool(v.served))
        .map((v) => `${str(v.name)}${bool(v.storage) ? '(storage)' : ''}`)
        .sort()
        .join(','),
    ),
    { ...text('Created At', (o) => str(o.metadata.creationTimestamp)), type: 'date' },
    { ...text('Group', (o) => str(spec(o).group)), priority: 1 },
    { ...text('Kind', (o) => str(obj(spec(o).names).kind)), priority: 1 },
    { ...text('ShortNames', (o) => list(obj(spec(o).names).shortNames).join(',')), priority: 1 },
    {
      ...flag('Established', (o) =>
        objs(status(o).conditions).some((c) => c.type === 'Established' && c.status === 'True'),
      ),
      priority: 1,
    },
  ],
  'apiservices.apiregistration.k8s.io': [
    name(),
    text('Service', (o) => {
      const s = obj(spec(o).service);
      return has(spec(o).service) ? `${str(s.namespace)}/${str(s.name)}` : 'Local';
    }),
    text('Available', (o) => {
      const c = objs(status(o).conditions).find((x) => x.type === 'Available');
      if (c === undefined) return 'Unknown';
      return c.status === 'True' ? 'True' : `${str(c.status)} (${str(c.reason)})`;
    }),
    age,
  ],
};

const MAX_HOSTS = 3;
function hosts(o: KubeObject): string {
  const rules = objs(spec(o).rules);
  const found = rules.map((r) => str(r.host)).filter((h) => h !== '');
  if (found.length === 0) return '*';
  const shown = found.slice(0, MAX_HOSTS).join(',');
  return found.length >= MAX_HOSTS && rules.length > MAX_HOSTS
    ? `${shown} + ${rules.length - MAX_HOSTS} more...`
    : shown;
}
function paramRef(o: KubeObject): string {
  if (!has(spec(o).paramRef)) return '<unset>';
  const ref = obj(spec(o).paramRef);
  if (str(ref.name) !== '') return `${str(ref.namespace) || '*'}/${str(ref.name)}`;
  return has(ref.selector) ? printSelector(obj(ref.selector)) : '<unset>';
}
function subjects(o: KubeObject, kind: string): string {
  return objs(o.subjects)
    .filter((s) => s.kind === kind)
    .map((s) => {
      if (kind !== 'ServiceAccount') return str(s.name);
      return str(s.namespace) === '' ? str(s.name) : `${str(s.namespace)}/${str(s.name)}`;
    })
    .join(', ');
}
function csrCondition(o: KubeObject): string {
  const types = objs(status(o).conditions).map((c) => c.type);
  let text = types.includes('Denied') ? 'Denied' : types.includes('Approved') ? 'Approved' : 'Pending';
  if (types.includes('Failed')) text += ',Failed';
  if (str(status(o).certificate) !== '') text += ',Issued';
  return text;
}
function claimState(o: KubeObject): string {
  const deleted = has(o.metadata.deletionTimestamp);
  const states = deleted ? ['deleted'] : [];
  if (!has(status(o).allocation)) {
    if (!deleted) states.push('pending');
  } else {
    states.push('allocated');
    if (list(status(o).reservedFor).length > 0) states.push('reserved');
  }
  return states.join(',');
}
