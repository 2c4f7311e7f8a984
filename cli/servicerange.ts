import { rangesOverlap, serviceRangeIssue } from '../kube/kinds/serviceips.ts';
import { HELD, NODE_PODS } from '../kube/wire/clusteraddresses.ts';
import { CommandError } from './command.ts';

/** Throws CommandError for a --service-cidr that can't be one, or overlaps with addresses that are used already; `pods`: ranges of this machine's pods. */
export function checkServiceRange(cidr: string, pods: readonly string[] = []): void {
  const issue = serviceRangeIssue(cidr);
  if (issue !== undefined) throw new CommandError(`--service-cidr ${cidr}: ${issue}`, 2);
  for (const other of [NODE_PODS, HELD, ...pods.filter((p) => !p.includes(':'))])
    if (rangesOverlap(cidr, other)) throw new CommandError(`--service-cidr ${cidr}: ${other} is used already`, 2);
}
