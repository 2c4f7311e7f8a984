/** Watches resume at least this far back in time: the longest that a client is away without noticing. */
export const REPLAY_MS = 5 * 60_000;
/** And at least this many revisions, so that a quiet cluster's clients resume after days. */
export const REPLAY_REVISIONS = 10_000;
/** Reads `at` reach this far back. */
export const TRAVEL_MS = 24 * 3_600_000;
/** Bytes of superseded bodies kept for reads `at`: history never crowds the live rows out of the object's 10 GB. */
export const TRAVEL_BYTES = 1024 * 1024 * 1024;
/** A commit is followed by a progress batch to every watcher after at most this long. One-shot: a quiet store has no timer. */
export const PROGRESS_MS = 5_000;
/** Rows that one page looks at when a selector isn't answered by an index; the page then ends early with `next`: some 10 ms. */
export const SCAN_ROWS = 1_000;
/** Bodies of Secrets leave history this long after their deletion: watches that resume still see them. */
export const SCRUB_MS = REPLAY_MS;
