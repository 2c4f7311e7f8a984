import type { Behaviour } from './behaviour.ts';
import { APPS } from './columns/apps.ts';
import { CORE } from './columns/core.ts';
import { MORE } from './columns/more.ts';
import { CONFIGMAP } from './configmap.ts';
import { CONTROLLERREVISION } from './controllerrevision.ts';
import { CRONJOB } from './cronjob.ts';
import { DAEMONSET } from './daemonset.ts';
import { DEPLOYMENT } from './deployment.ts';
import { ENDPOINTS } from './endpoints.ts';
import { JOB } from './job.ts';
import { LIMITRANGE } from './limitrange.ts';
import { NAMESPACE } from './namespace.ts';
import { NODE } from './node.ts';
import { POD } from './pod.ts';
import { PODTEMPLATE } from './podtemplate.ts';
import { REPLICASET } from './replicaset.ts';
import { REPLICATIONCONTROLLER } from './replicationcontroller.ts';
import { RESOURCEQUOTA } from './resourcequota.ts';
import { SECRET } from './secret.ts';
import { SERVICE } from './service.ts';
import { STATEFULSET } from './statefulset.ts';

/** Columns alone, for kinds whose own file says nothing of them. */
const COLUMNS = { ...CORE, ...APPS, ...MORE };

const OWN: Record<string, Behaviour> = {
  pods: POD,
  namespaces: NAMESPACE,
  nodes: NODE,
  services: SERVICE,
  configmaps: CONFIGMAP,
  secrets: SECRET,
  endpoints: ENDPOINTS,
  limitranges: LIMITRANGE,
  resourcequotas: RESOURCEQUOTA,
  podtemplates: PODTEMPLATE,
  replicationcontrollers: REPLICATIONCONTROLLER,
  'deployments.apps': DEPLOYMENT,
  'replicasets.apps': REPLICASET,
  'statefulsets.apps': STATEFULSET,
  'daemonsets.apps': DAEMONSET,
  'controllerrevisions.apps': CONTROLLERREVISION,
  'jobs.batch': JOB,
  'cronjobs.batch': CRONJOB,
};

/** Behaviour by groupResource of the storage version: each kind's own file, and its columns. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = Object.fromEntries(
  [...new Set([...Object.keys(COLUMNS), ...Object.keys(OWN)])].map((resource) => {
    const columns = COLUMNS[resource];
    return [resource, { ...(columns ? { columns } : {}), ...OWN[resource] }];
  }),
);
