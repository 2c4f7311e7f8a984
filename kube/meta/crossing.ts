/**
 * A promise that another request may resolve: who waits for it goes on in its own request, where its streams, sockets and timers are. Made by the engine's own function:
 * of hot code V8 makes the promise of `new Promise` inline and leaves out whose request it is (workerd 1.20261117.1). Who waits for such a one goes on in the request that resolves it,
 * and all that it then writes is refused.
 */
export const crossing = <T>(): PromiseWithResolvers<T> => Promise.withResolvers<T>();
