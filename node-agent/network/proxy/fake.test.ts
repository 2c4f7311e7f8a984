import { filterSuite } from './filter.suite.ts';
import { fakeLab } from './testing/fakelab.ts';

filterSuite('in memory, IPv4', async () => fakeLab('ip'));
filterSuite('in memory, IPv6', async () => fakeLab('ip6'));
