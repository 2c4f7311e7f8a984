import type { Store } from './store.ts';

/** A store that is `store` but for these members. */
export function withMembers(store: Store, members: Partial<Store>): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (Object.hasOwn(members, name)) return members[name as keyof Store];
      const member: unknown = Reflect.get(target, name, target);
      // Private fields are the target's, not the proxy's.
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
