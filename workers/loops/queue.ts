import type { QueueItem } from '../../kube/reconcile/projection.ts';
import type { Key, Revision } from '../../kube/store/store.ts';

export const queueId = (controller: string, key: Key): string => `${controller}\0${key}`;

/** The queue of a loop's projection in memory. Items are never changed in place. */
export class QueueMemory {
  readonly #items = new Map<string, QueueItem>();
  /** Items in the order in which they are taken; some may be gone, or others by now. Absent: to be made. */
  #order: QueueItem[] | undefined;

  get(id: string): QueueItem | undefined {
    return this.#items.get(id);
  }
  set(id: string, item: QueueItem | undefined): void {
    if (item === undefined) this.#items.delete(id);
    else {
      this.#items.set(id, item);
      this.#order = undefined;
    }
  }
  take(now: number, cursor: Revision, limit: number): QueueItem[] {
    const due: QueueItem[] = [];
    for (const item of this.#inOrder()) {
      if (item.due > now || due.length === limit) break;
      if (item.hold <= cursor && this.#stands(item)) due.push(item);
    }
    return due;
  }
  nextDue(): number | undefined {
    return this.#inOrder().find((item) => this.#stands(item))?.due;
  }

  #stands(item: QueueItem): boolean {
    return this.#items.get(queueId(item.controller, item.key)) === item;
  }
  #inOrder(): QueueItem[] {
    // Half of it gone: made anew, so that what is done isn't looked at for ever.
    if (this.#order === undefined || this.#order.length > 2 * this.#items.size)
      this.#order = [...this.#items.values()].sort(byTurn);
    return this.#order;
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byTurn = (a: QueueItem, b: QueueItem) =>
  a.due - b.due || compare(a.key, b.key) || compare(a.controller, b.controller);
