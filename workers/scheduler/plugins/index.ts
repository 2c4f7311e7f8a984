import type { SchedulerPlugin } from '../framework.ts';
import { imagelocality } from './imagelocality.ts';
import { interpodaffinity } from './interpodaffinity.ts';
import { nodeaffinity } from './nodeaffinity.ts';
import { nodedeclaredfeatures } from './nodedeclaredfeatures.ts';
import { nodename, nodeunschedulable } from './nodename.ts';
import { nodeports } from './nodeports.ts';
import { balancedallocation, noderesourcesfit } from './noderesources.ts';
import { podtopologyspread } from './podtopologyspread.ts';
import { tainttoleration } from './tainttoleration.ts';
import { volumebinding } from './volumebinding.ts';
import { nodevolumelimits, volumerestrictions, volumezone } from './volumes.ts';

/** The plugins of upstream's default profile in its order: filters run in it, and the first that rejects a node names the reason. */
export const plugins = [
  nodename,
  nodeunschedulable,
  tainttoleration,
  nodeaffinity,
  nodeports,
  noderesourcesfit,
  volumerestrictions,
  nodevolumelimits,
  volumebinding,
  volumezone,
  podtopologyspread,
  interpodaffinity,
  balancedallocation,
  imagelocality,
  nodedeclaredfeatures,
] as readonly SchedulerPlugin[];
