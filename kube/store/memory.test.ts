import { MemoryStore } from './memory.ts';
import { storeSuite } from './suite.ts';
import { VirtualClock } from './suite-clock.ts';

storeSuite('MemoryStore', async () => {
  const clock = new VirtualClock();
  return { store: new MemoryStore(clock.env), advance: (ms) => clock.advance(ms) };
});
