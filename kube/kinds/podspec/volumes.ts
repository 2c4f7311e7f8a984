import { duplicate, forbidden, index, invalid, required } from '../../meta/issues.ts';
import type { Json, JsonObject } from '../../meta/json.ts';
import { dns1123Subdomain } from '../../meta/names.ts';
import { compareQuantities, quantity, ZERO } from '../../meta/quantity.ts';
import type { Issue } from '../../meta/status.ts';
import { bool, has, list, num, obj, str } from '../access.ts';
import { validateClaimTemplate } from '../claimspec.ts';
import { descending, each, label, mode, need, noBacksteps, oneOf, subdomain } from './checks.ts';
import { downwardAPI, items, projected } from './projected.ts';

type Check = (path: string, v: JsonObject) => Issue[];
const PARTITION = 'must be between 1 and 255, inclusive';
const LUN = 'must be between 0 and 255, inclusive';
const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];
export const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];

const disk: (idField: string) => Check = (idField) => (path, v) => [
  ...need(`${path}.${idField}`, v[idField]),
  ...(num(v.partition) < 0 || num(v.partition) > 255
    ? [invalid(`${path}.partition`, num(v.partition), PARTITION)]
    : []),
];
const needs =
  (...fields: string[]): Check =>
  (path, v) =>
    fields.flatMap((f) => need(`${path}.${f}`, v[f]));
/** By volume type, in upstream's order. The name beside is how upstream's path spells the type where it differs. */
const TYPES: readonly { type: string; path?: string; twice?: string; check: Check }[] = [
  { type: 'emptyDir', check: emptyDir },
  { type: 'hostPath', check: hostPath },
  {
    type: 'gitRepo',
    check: (path, v) => [
      ...need(`${path}.repository`, v.repository),
      ...descending(`${path}.directory`, str(v.directory)),
    ],
  },
  { type: 'gcePersistentDisk', path: 'persistentDisk', check: disk('pdName') },
  { type: 'awsElasticBlockStore', check: disk('volumeID') },
  { type: 'secret', check: (path, v) => [...need(`${path}.secretName`, v.secretName), ...items(path, v)] },
  { type: 'nfs', check: nfs },
  { type: 'iscsi', check: iscsi },
  { type: 'glusterfs', check: needs('endpoints', 'path') },
  { type: 'flocker', check: flocker },
  { type: 'persistentVolumeClaim', check: needs('claimName') },
  {
    type: 'rbd',
    check: (path, v) => [
      ...(list(v.monitors).length === 0 ? [required(`${path}.monitors`)] : []),
      ...need(`${path}.image`, v.image),
    ],
  },
  { type: 'cinder', check: (path, v) => [...need(`${path}.volumeID`, v.volumeID), ...secretName(path, v)] },
  {
    type: 'cephfs',
    twice: 'cephFS',
    check: (path, v) => (list(v.monitors).length === 0 ? [required(`${path}.monitors`)] : []),
  },
  { type: 'quobyte', check: quobyte },
  { type: 'downwardAPI', twice: 'downwarAPI', check: downwardAPI },
  { type: 'fc', check: fc },
  { type: 'flexVolume', check: needs('driver') },
  { type: 'configMap', check: (path, v) => [...need(`${path}.name`, v.name), ...items(path, v)] },
  { type: 'azureFile', check: needs('secretName', 'shareName') },
  { type: 'vsphereVolume', check: needs('volumePath') },
  { type: 'photonPersistentDisk', check: needs('pdID') },
  { type: 'portworxVolume', check: needs('volumeID') },
  { type: 'azureDisk', check: azureDisk },
  { type: 'storageos', check: needs('volumeName') },
  { type: 'projected', check: projected },
  { type: 'scaleIO', check: needs('gateway', 'system', 'volumeName') },
  { type: 'csi', check: csi },
  { type: 'ephemeral', check: ephemeral },
  {
    type: 'image',
    check: (path, v) => [
      ...need(`${path}.reference`, v.reference),
      ...oneOf(`${path}.pullPolicy`, v.pullPolicy, PULL_POLICIES),
    ],
  },
];

/** All volumes of a pod spec, and those that are well-formed by name (mounts may name only these). */
export function validateVolumes(
  path: string,
  volumes: readonly JsonObject[],
  podName: string,
): { issues: Issue[]; known: Map<string, JsonObject> } {
  const issues: Issue[] = [];
  const known = new Map<string, JsonObject>();
  const made = new Set(
    podName === '' ? [] : volumes.filter((v) => has(v.ephemeral)).map((v) => `${podName}-${str(v.name)}`),
  );
  for (const [i, v] of volumes.entries()) {
    const at = index(path, i);
    const name = str(v.name);
    const own = volumeSource(at, v, name, podName);
    own.push(...(name === '' ? [required(`${at}.name`)] : label(`${at}.name`, name)));
    if (known.has(name)) own.push(duplicate(`${at}.name`, name));
    if (own.length === 0) known.set(name, v);
    else issues.push(...own);
    const claim = str(obj(v.persistentVolumeClaim).claimName);
    if (has(v.persistentVolumeClaim) && made.has(claim)) {
      issues.push(
        invalid(
          `${at}.persistentVolumeClaim.claimName`,
          claim,
          'must not reference a PVC that gets created for an ephemeral volume',
        ),
      );
    }
  }
  return { issues, known };
}

function volumeSource(path: string, v: JsonObject, name: string, podName: string): Issue[] {
  const issues: Issue[] = [];
  let count = 0;
  for (const t of TYPES) {
    if (!has(v[t.type])) continue;
    if (count++ > 0) {
      issues.push(forbidden(`${path}.${t.twice ?? t.type}`, 'may not specify more than 1 volume type'));
      continue;
    }
    issues.push(...t.check(`${path}.${t.path ?? t.type}`, obj(v[t.type])));
    if (t.type === 'ephemeral' && podName !== '' && name !== '') {
      const claim = `${podName}-${name}`;
      for (const p of dns1123Subdomain(claim)) {
        issues.push(invalid(`${path}.name`, name, `PVC name ${JSON.stringify(claim)}: ${p}`));
      }
    }
  }
  const portal = str(obj(v.iscsi).targetPortal);
  if (has(obj(v.iscsi).initiatorName) && `${name}:${portal}`.length > 64) {
    issues.push(
      invalid(
        `${path}.name`,
        name,
        'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
      ),
    );
  }
  if (count === 0) issues.push(required(path, 'must specify a volume type'));
  return issues;
}

function emptyDir(path: string, v: JsonObject): Issue[] {
  const issues: Issue[] = [];
  if (has(v.sizeLimit) && compareQuantities(quantity(v.sizeLimit), ZERO) < 0) {
    issues.push(forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity'));
  }
  return [...issues, ...mode(`${path}.mode`, v.mode, 0o1777)];
}
function hostPath(path: string, v: JsonObject): Issue[] {
  if (str(v.path) === '') return [required(`${path}.path`)];
  return [
    ...noBacksteps(`${path}.path`, str(v.path)),
    ...(has(v.type) ? oneOf(`${path}.type`, v.type, HOST_PATH_TYPES, null) : []),
  ];
}
function nfs(path: string, v: JsonObject): Issue[] {
  return [
    ...need(`${path}.server`, v.server),
    ...need(`${path}.path`, v.path),
    ...(str(v.path).startsWith('/') ? [] : [invalid(`${path}.path`, str(v.path), 'must be an absolute path')]),
  ];
}
const INITIATORS = [
  /^iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(?::[^,;*&$|\s]+)$/,
  /^eui\.[A-Za-z0-9]{16}$/,
  /^naa\.[A-Za-z0-9]{32}$/,
];
function initiator(path: string, value: string): Issue[] {
  const i = ['iqn', 'eui', 'naa'].findIndex((p) => value.startsWith(p));
  if (i < 0) return [invalid(path, value, 'must be valid format starting with iqn, eui, or naa')];
  return INITIATORS[i]?.test(value) ? [] : [invalid(path, value, 'must be valid format')];
}
function iscsi(path: string, v: JsonObject): Issue[] {
  const issues = need(`${path}.targetPortal`, v.targetPortal);
  issues.push(...(str(v.iqn) === '' ? [required(`${path}.iqn`)] : initiator(`${path}.iqn`, str(v.iqn))));
  if (num(v.lun) < 0 || num(v.lun) > 255) issues.push(invalid(`${path}.lun`, num(v.lun), LUN));
  if ((bool(v.chapAuthDiscovery) || bool(v.chapAuthSession)) && !has(v.secretRef)) {
    issues.push(required(`${path}.secretRef`));
  }
  if (has(v.initiatorName)) issues.push(...initiator(`${path}.initiatorname`, str(v.initiatorName)));
  return issues;
}
function flocker(path: string, v: JsonObject): Issue[] {
  const issues: Issue[] = [];
  const name = str(v.datasetName);
  const uuid = str(v.datasetUUID);
  if (name === '' && uuid === '') issues.push(required(path, 'one of datasetName and datasetUUID is required'));
  if (name !== '' && uuid !== '') {
    issues.push(invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
  }
  if (name.includes('/')) issues.push(invalid(`${path}.datasetName`, name, "must not contain '/'"));
  return issues;
}
function quobyte(path: string, v: JsonObject): Issue[] {
  const text = 'must be a host:port pair or multiple pairs separated by commas';
  const registry = str(v.registry);
  const issues: Issue[] = [];
  if (registry === '') issues.push(required(`${path}.registry`, text));
  else if (str(v.tenant).length >= 65) {
    issues.push(required(`${path}.tenant`, 'must be a UUID and may not exceed a length of 64 characters'));
  } else {
    for (const pair of registry.split(',')) {
      if (!/^(\[[^\]]*\]|[^:]*):[^:]*$/.test(pair)) issues.push(invalid(`${path}.registry`, registry, text));
    }
  }
  return [...issues, ...need(`${path}.volume`, v.volume)];
}
const secretName: Check = (path, v) => (has(v.secretRef) ? need(`${path}.secretRef.name`, obj(v.secretRef).name) : []);
function fc(path: string, v: JsonObject): Issue[] {
  const issues: Issue[] = [];
  const wwns = list(v.targetWWNs).length;
  const wwids = list(v.wwids).length;
  if (wwns < 1 && wwids < 1) {
    issues.push(required(`${path}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both'));
  }
  if (wwns > 0 && wwids > 0) {
    issues.push(
      invalid(`${path}.targetWWNs`, v.targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'),
    );
  }
  if (wwns > 0 && !has(v.lun)) issues.push(required(`${path}.lun`, 'lun is required if targetWWNs is specified'));
  else if (wwns > 0 && (num(v.lun) < 0 || num(v.lun) > 255)) issues.push(invalid(`${path}.lun`, num(v.lun), LUN));
  return issues;
}
function azureDisk(path: string, v: JsonObject): Issue[] {
  const kind = str(v.kind);
  const issues = [...need(`${path}.diskName`, v.diskName), ...need(`${path}.diskURI`, v.diskURI)];
  if (has(v.cachingMode))
    issues.push(...oneOf(`${path}.cachingMode`, v.cachingMode, ['None', 'ReadOnly', 'ReadWrite'], null));
  if (has(v.kind)) issues.push(...oneOf(`${path}.kind`, kind, ['Dedicated', 'Managed', 'Shared'], null));
  if (kind === 'Managed' && !/^\/subscriptions\/.+/.test(str(v.diskURI))) {
    issues.push(
      notSupportedValues(`${path}.diskURI`, v.diskURI, [
        '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}',
      ]),
    );
  }
  if (has(v.kind) && kind !== 'Managed' && !str(v.diskURI).startsWith('https://')) {
    issues.push(
      notSupportedValues(`${path}.diskURI`, v.diskURI, [
        'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd',
      ]),
    );
  }
  return issues;
}
const notSupportedValues = (path: string, v: Json | undefined, values: string[]): Issue =>
  oneOf(path, v, values, null)[0] ?? required(path);

const MAX_DRIVER_NAME = 63;
/** A CSI driver's name: a DNS subdomain in any case of at most 63 characters. */
export function csiDriverName(path: string, driver: string): Issue[] {
  if (driver === '') return [required(path)];
  const issues: Issue[] = [];
  if (driver.length > MAX_DRIVER_NAME) {
    issues.push({
      type: 'FieldValueTooLong',
      field: path,
      message: `Too long: may not be more than ${MAX_DRIVER_NAME} bytes`,
    });
  }
  return [...issues, ...each(path, driver.toLowerCase(), dns1123Subdomain(driver.toLowerCase()))];
}
function csi(path: string, v: JsonObject): Issue[] {
  const issues = csiDriverName(`${path}.driver`, str(v.driver));
  if (has(v.nodePublishSecretRef)) {
    const name = str(obj(v.nodePublishSecretRef).name);
    issues.push(...(name === '' ? [required(`${path}.nodePublishSecretRef.name`)] : subdomain(`${path}.name`, name)));
  }
  return issues;
}
function ephemeral(path: string, v: JsonObject): Issue[] {
  if (!has(v.volumeClaimTemplate)) return [required(`${path}.volumeClaimTemplate`)];
  return validateClaimTemplate(`${path}.volumeClaimTemplate`, obj(v.volumeClaimTemplate));
}
