import * as v from 'valibot';

/** `index.json` of a folder of texts, which tools/generate/descriptions.ts writes and workers/texts.ts reads. */
export const TextIndex = v.object({
  /** The Kubernetes minor that the texts are of. */
  minor: v.string(),
  /** Another one for other texts. */
  version: v.string(),
  /** By path of an OpenAPI document (`api/v1`, `apis/apps/v1`): the packages that its structs are of; each is a file `<package>.json`. */
  documents: v.record(v.string(), v.array(v.string())),
});
export type TextIndex = v.InferOutput<typeof TextIndex>;

/** A package's file: by full name of a struct the text of each of its fields, and under '' its own. */
export const TextTable = v.record(v.string(), v.record(v.string(), v.string()));
export type TextTable = v.InferOutput<typeof TextTable>;
