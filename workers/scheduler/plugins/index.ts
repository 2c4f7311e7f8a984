import type { SchedulerPlugin } from '../framework.ts';
import { nodeaffinity } from './nodeaffinity.ts';
import { nodename, nodeunschedulable } from './nodename.ts';
import { nodeports } from './nodeports.ts';
import { balancedallocation, noderesourcesfit } from './noderesources.ts';
import { tainttoleration } from './tainttoleration.ts';

/** The plugins in upstream's order: filters run in it, and the first that rejects a node names the reason. */
export const plugins = [
  nodename,
  nodeunschedulable,
  tainttoleration,
  nodeaffinity,
  nodeports,
  noderesourcesfit,
  balancedallocation,
] as readonly SchedulerPlugin[];
