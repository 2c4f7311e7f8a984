import type { Controller } from '../../kube/reconcile/controller.ts';
import { controllers } from '../controllers/index.ts';
import { scheduler } from '../scheduler/index.ts';

/** The loops of every cluster: what runs in one object, over one projection. */
export const LOOPS: Readonly<Record<string, readonly Controller[]>> = {
  controllers,
  scheduler: [scheduler],
};
