import { projectionSuite } from './projection.suite.ts';
import { MemoryProjection } from './projection.ts';

projectionSuite('MemoryProjection', () => ({ projection: new MemoryProjection() }));
