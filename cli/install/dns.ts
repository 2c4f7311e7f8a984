import { Resolver } from 'node:dns/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { CommandError } from '../command.ts';

/** The agent answers names as soon as it knows the Services: seconds after its start. */
const DNS_MS_MAX = 60_000;
const POLL_MS = 100;
/** A question that is lost is asked again by us. */
const ANSWER_MS_MAX = 1_000;
const NAME = 'kubernetes.default.svc.cluster.local';

/** Waits until the name server at `address` knows the cluster's own API. Throws CommandError with what it last said. */
export async function untilDnsAnswers(address: string, log: string): Promise<void> {
  const resolver = new Resolver({ timeout: ANSWER_MS_MAX, tries: 1 });
  resolver.setServers([address]);
  for (const end = Date.now() + DNS_MS_MAX; ; await delay(POLL_MS)) {
    const said = await resolver.resolve4(NAME).catch((e: NodeJS.ErrnoException) => e.code ?? e.message);
    if (Array.isArray(said)) return;
    if (Date.now() > end)
      throw new CommandError(
        `cluster DNS at ${address} does not answer for ${NAME} after ${DNS_MS_MAX / 1_000} s (${said}): see ${log}; is another firewall dropping packets to ${address}?`,
      );
  }
}
