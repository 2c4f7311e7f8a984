import { cluster } from './steps/cluster.ts';
import { custom } from './steps/custom.ts';
import { nodes } from './steps/nodes.ts';
import { objects } from './steps/objects.ts';
import { pods } from './steps/pods.ts';
import { runs } from './steps/runs.ts';
import { rollouts, workloads } from './steps/workloads.ts';
import type { Section } from './steps.ts';

/** All sections, the longest first. */
export const sections: readonly Section[] = [pods, runs, rollouts, workloads, objects, cluster, custom, nodes];
