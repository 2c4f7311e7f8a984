import { exactField } from '../meta/selectors.ts';
import { selectionTest, type Test } from './select.ts';
import type { Entry, Key, Range, Revision, Selection, WatchEvent } from './store.ts';

/** One changed row, as a commit leaves it. */
export interface Change {
  revision: Revision;
  key: Key;
  prev: Entry | null;
  next: Entry | null;
}

/** Who is told. One watcher may stand for many sockets that asked the same. */
export interface Watcher {
  readonly range: Range;
  readonly select?: Selection | undefined;
  /** Called once per commit that touched it, or with no events for progress. */
  deliver(events: WatchEvent[], revision: Revision): void;
  /** Revisions have jumped (a restore): what it follows is over. It leaves, or asks history whether it may go on. */
  restart?(): void;
}

interface Slot {
  watcher: Watcher;
  test: Test | null;
}

/**
 * Watchers by what they can match: resource, namespace, name, and the node of `spec.nodeName=`. A change looks at most at six
 * slots, however many watchers there are.
 */
export class Fanout {
  readonly #slots = new Map<string, Set<Slot>>();
  /** Ranges of another shape than rangeOf() makes; every change looks at them. */
  readonly #odd = new Set<Slot>();
  readonly #all = new Map<Watcher, { slot: Slot; at: string | null }>();

  get size(): number {
    return this.#all.size;
  }

  add(watcher: Watcher): void {
    const slot: Slot = { watcher, test: selectionTest(watcher.select) };
    const at = slotOf(watcher.range, watcher.select);
    this.#all.set(watcher, { slot, at });
    if (at === null) {
      this.#odd.add(slot);
      return;
    }
    const set = this.#slots.get(at);
    if (set) set.add(slot);
    else this.#slots.set(at, new Set([slot]));
  }

  remove(watcher: Watcher): void {
    const found = this.#all.get(watcher);
    if (!found) return;
    this.#all.delete(watcher);
    if (found.at === null) {
      this.#odd.delete(found.slot);
      return;
    }
    const set = this.#slots.get(found.at);
    set?.delete(found.slot);
    if (set?.size === 0) this.#slots.delete(found.at);
  }

  watchers(): IterableIterator<Watcher> {
    return this.#all.keys();
  }

  /** Tells each watcher, once, what a commit (or a group of them) changed for it; `revision` is the newest now. */
  publish(changes: readonly Change[], revision: Revision): void {
    if (this.#all.size === 0) return;
    const batches = new Map<Watcher, WatchEvent[]>();
    for (const change of changes) this.#route(change, batches);
    for (const [watcher, events] of batches) watcher.deliver(events, revision);
  }

  #route(change: Change, batches: Map<Watcher, WatchEvent[]>): void {
    const events: Events = {};
    const offer = (slots: Set<Slot> | undefined) => {
      if (!slots) return;
      for (const { watcher, test } of slots) {
        const event = eventFor(change, test, events);
        if (!event) continue;
        const batch = batches.get(watcher);
        if (batch) batch.push(event);
        else batches.set(watcher, [event]);
      }
    };
    const { key } = change;
    const slash = key.indexOf('/');
    const last = key.lastIndexOf('/');
    const resource = key.slice(0, slash);
    offer(this.#slots.get(resource));
    offer(this.#slots.get(key));
    offer(this.#slots.get(nameSlot(resource, key.slice(last + 1))));
    if (last > slash) offer(this.#slots.get(key.slice(0, last + 1)));
    const before = change.prev?.facts.fields?.[NODE_FIELD];
    const after = change.next?.facts.fields?.[NODE_FIELD];
    if (before !== undefined) offer(this.#slots.get(nodeSlot(resource, before)));
    if (after !== undefined && after !== before) offer(this.#slots.get(nodeSlot(resource, after)));
    for (const slot of this.#odd) {
      if (key >= slot.watcher.range.from && key < slot.watcher.range.to) offer(new Set([slot]));
    }
  }
}

/** The field by which each kubelet watches its pods. */
const NODE_FIELD = 'spec.nodeName';
const nodeSlot = (resource: string, node: string) => `${resource}\n${node}`;
const nameSlot = (resource: string, name: string) => `${resource}\t${name}`;

/** `pods`, `pods/<ns>/`, a key, or a slot of a whole resource by node or name; null for other ranges. */
function slotOf(range: Range, select: Selection | undefined): string | null {
  const { from, to } = range;
  if (to === `${from}\0`) return from;
  if (!from.endsWith('/') || to !== `${from.slice(0, -1)}0`) return null;
  if (from.indexOf('/') < from.length - 1) return from;
  const resource = from.slice(0, -1);
  const node = exactField(select?.fields ?? [], NODE_FIELD);
  if (node !== undefined && node !== '') return nodeSlot(resource, node);
  const name = exactField(select?.fields ?? [], 'metadata.name');
  return name === undefined ? resource : nameSlot(resource, name);
}

/** The events made of one change so far: equal for every watcher of the same type. */
export type Events = Partial<Record<WatchEvent['type'], WatchEvent>>;

/** What a watcher with this test sees of a change: a row that starts matching is ADDED, one that stops is DELETED with its last body. */
export function eventFor(change: Change, test: Test | null, made: Events = {}): WatchEvent | null {
  const { key, prev, next } = change;
  const was = prev !== null && (test === null || test(key, prev.facts));
  const is = next !== null && (test === null || test(key, next.facts));
  if (!was && !is) return null;
  const type = is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED';
  const body = is ? next : prev;
  if (body === null) return null;
  let event = made[type];
  if (!event) {
    event = { type, key, revision: change.revision, value: body.value, version: body.version, schema: body.schema };
    if (body.enc !== undefined) event.enc = body.enc;
    made[type] = event;
  }
  return event;
}
