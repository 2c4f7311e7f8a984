import { storeSuite } from '../../kube/store/suite.ts';
import { open } from './world.ts';

storeSuite('SqliteStore on node:sqlite', async () => {
  const { store, clock, sql } = open();
  return { store, advance: (ms) => clock.advance(ms), close: async () => sql.close?.() };
});
