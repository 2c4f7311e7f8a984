import * as v from 'valibot';

// A cluster whose file the platform can't open can't be removed by its objects either: who can reach the file has to set it aside.

/** Reason of a cause in a Status; its message is the object's id, after which its file is named. */
const UNOPENED = 'StoreUnopened';
const Refusal = v.object({
  details: v.object({
    causes: v.array(v.object({ reason: v.string(), message: v.pipe(v.string(), v.hexadecimal()) })),
  }),
});

/** Causes of a Status that tell of these objects. */
export const unopenedCauses = (ids: readonly string[]): { reason: string; message: string }[] =>
  ids.map((message) => ({ reason: UNOPENED, message }));

/** The objects that a Status tells of. */
export function unopenedIn(status: unknown): string[] {
  const read = v.safeParse(Refusal, status);
  return read.success ? read.output.details.causes.filter((c) => c.reason === UNOPENED).map((c) => c.message) : [];
}
