import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AuthConfig } from '../runtime/messages.ts';

/** Credentials of one image that are remembered; the oldest goes. */
const CREDENTIALS_MAX = 100;

/** Who may use an image that this agent has pulled: everybody, or who shows one of these credentials. */
type Access = 'everybody' | string[];

/** An image's access by its id, then by the name it was pulled by (an id may have come from several repositories). */
type Records = Record<string, Record<string, Access>>;

const hashOf = (auth: AuthConfig) => createHash('sha256').update(JSON.stringify(auth)).digest('hex');
const nameOf = (image: string) => image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');

/**
 * Which images this agent has pulled with which credentials (KEP-2535): an image that took a secret isn't given to a pod without it just
 * because it is on the machine. Images that were there before are everybody's.
 */
export class PulledImages {
  readonly #path: string;
  #records: Promise<Records> | undefined;
  /** Counts up with each image that was pulled or removed. */
  changes = 0;

  /** `path`: the file that it is kept in. */
  constructor(path: string) {
    this.#path = path;
  }

  /** True when a pod that has these credentials may use the image as it is here. */
  async allows(id: string, image: string, credentials: () => Promise<readonly AuthConfig[]>): Promise<boolean> {
    const record = (await this.#load())[id];
    if (record === undefined) return true;
    const access = record[nameOf(image)];
    if (access === undefined) return false;
    if (access === 'everybody') return true;
    return (await credentials()).some((c) => access.includes(hashOf(c)));
  }

  /** After a pull; `auth` undefined: it took none. */
  async add(id: string, image: string, auth: AuthConfig | undefined): Promise<void> {
    this.changes++;
    const records = await this.#load();
    const before = records[id]?.[nameOf(image)];
    if (before === 'everybody') return;
    const hash = auth && hashOf(auth);
    if (hash !== undefined && before?.includes(hash)) return;
    const access: Access = hash === undefined ? 'everybody' : [...(before ?? []), hash].slice(-CREDENTIALS_MAX);
    records[id] = { ...records[id], [nameOf(image)]: access };
    await this.#save(records);
  }

  /** Images that aren't here any more are forgotten. */
  async keep(ids: ReadonlySet<string>): Promise<void> {
    const records = await this.#load();
    const gone = Object.keys(records).filter((id) => !ids.has(id));
    if (gone.length === 0) return;
    for (const id of gone) delete records[id];
    await this.#save(records);
  }

  #load(): Promise<Records> {
    this.#records ??= readFile(this.#path, 'utf8').then(
      (text) => JSON.parse(text) as Records,
      () => ({}), // nothing was pulled yet
    );
    return this.#records;
  }
  async #save(records: Records): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    await writeFile(`${this.#path}.new`, JSON.stringify(records), { mode: 0o600 });
    await rename(`${this.#path}.new`, this.#path);
  }
}
