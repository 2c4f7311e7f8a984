import type { Controller } from '../../kube/reconcile/controller.ts';
import { daemonset } from './daemonset.ts';
import { deployment } from './deployment.ts';
import { kubernetesservice } from './kubernetesservice.ts';
import { namespace } from './namespace.ts';
import { nodelifecycle } from './nodelifecycle.ts';
import { replicaset, replicationcontroller } from './replicaset.ts';
import { rootca } from './rootca.ts';
import { serviceaccount } from './serviceaccount.ts';
import { statefulset } from './statefulset.ts';

/** Every controller of kube-controller-manager that this release has. */
export const controllers: readonly Controller[] = [
  namespace,
  serviceaccount,
  rootca,
  kubernetesservice,
  nodelifecycle,
  replicaset,
  replicationcontroller,
  deployment,
  daemonset,
  statefulset,
];
