// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { EventSource, ObjectReference } from './core.ts';
import type { ListMeta, TypeMeta } from './meta.ts';

export type Event = TypeMeta & {
  metadata: ObjectMeta;
  eventTime: string;
  series?: EventSeries;
  reportingController?: string;
  reportingInstance?: string;
  action?: string;
  reason?: string;
  regarding?: ObjectReference;
  related?: ObjectReference;
  note?: string;
  type?: string;
  deprecatedSource?: EventSource;
  deprecatedFirstTimestamp?: string;
  deprecatedLastTimestamp?: string;
  deprecatedCount?: number;
};

export type EventList = TypeMeta & {
  metadata: ListMeta;
  items: Event[];
};

export type EventSeries = {
  count: number;
  lastObservedTime: string;
};
