import type { Table } from './table.ts';

/** What sends packets to Services' endpoints: the kernel's packet filter, or a fake. Both pass filterSuite. */
export interface PacketFilter {
  /**
   * Makes the packets go as `tables` (one per IP family) say: all of it at once, or, when it throws, as before. Only what differs from
   * the last call is changed. Connections that stand are left alone.
   */
  apply(tables: readonly Table[]): Promise<void>;
  /** False: somebody else has taken it away (`nft flush ruleset` does); the next `apply` then does all of it. */
  intact(): Promise<boolean>;
  /** Takes everything of its own away. */
  remove(): Promise<void>;
}
