import type { Controller } from '../../kube/reconcile/controller.ts';
import { cronjob } from './cronjob.ts';
import { daemonset } from './daemonset.ts';
import { defaultservicecidr } from './defaultservicecidr.ts';
import { deployment } from './deployment.ts';
import { disruption } from './disruption.ts';
import { endpoints } from './endpoints.ts';
import { endpointslice } from './endpointslice.ts';
import { endpointslicemirroring } from './endpointslicemirroring.ts';
import { garbagecollector } from './garbagecollector.ts';
import { job } from './job.ts';
import { kubernetesservice } from './kubernetesservice.ts';
import { namespace } from './namespace.ts';
import { nodeipam } from './nodeipam.ts';
import { nodelifecycle } from './nodelifecycle.ts';
import { podgc } from './podgc.ts';
import { pvcprotection, pvprotection, vacprotection } from './protection.ts';
import { replicaset, replicationcontroller } from './replicaset.ts';
import { resourcequota } from './resourcequota.ts';
import { rootca } from './rootca.ts';
import { serviceaccount } from './serviceaccount.ts';
import { statefulset } from './statefulset.ts';
import { tainteviction } from './tainteviction.ts';
import { ttlafterfinished } from './ttlafterfinished.ts';

/** Every controller of kube-controller-manager that this release has. */
export const controllers: readonly Controller[] = [
  namespace,
  serviceaccount,
  rootca,
  kubernetesservice,
  defaultservicecidr,
  nodelifecycle,
  nodeipam,
  replicaset,
  replicationcontroller,
  deployment,
  daemonset,
  statefulset,
  endpointslice,
  endpoints,
  endpointslicemirroring,
  garbagecollector,
  job,
  ttlafterfinished,
  cronjob,
  podgc,
  disruption,
  resourcequota,
  tainteviction,
  pvcprotection,
  pvprotection,
  vacprotection,
];
