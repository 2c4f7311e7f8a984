import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_SERVICE_CIDR,
  inServiceRange,
  rangesOverlap,
  serviceCIDR,
  serviceRangeIssue,
  setServiceCIDR,
} from './serviceips.ts';

for (const [cidr, issue] of [
  ['10.96.0.0/16', undefined],
  ['172.16.0.0/12', undefined],
  ['192.168.7.16/28', undefined],
  ['10.0.0.0/8', 'a range from /12 to /28 is needed'],
  ['10.96.0.0/29', 'a range from /12 to /28 is needed'],
  ['10.96.0.1/16', 'the address is not the first of its range'],
  ['fd00::/112', 'an IPv4 range is needed, such as 10.96.0.0/16'],
  ['10.96.0.0', 'an IPv4 range is needed, such as 10.96.0.0/16'],
  ['10.96.0.256/24', 'an IPv4 range is needed, such as 10.96.0.0/16'],
] as const)
  test(`${cidr} ${issue === undefined ? 'can be' : 'is no'} range of Services`, () => {
    assert.equal(serviceRangeIssue(cidr), issue);
  });

test('ranges overlap where one is part of the other', () => {
  assert.equal(rangesOverlap('10.244.0.0/14', '10.247.3.0/24'), true);
  assert.equal(rangesOverlap('10.247.3.0/24', '10.244.0.0/14'), true);
  assert.equal(rangesOverlap('10.244.0.0/14', '10.248.0.0/16'), false);
});

test('addresses of the range that was set are Service addresses, but its first and last', () => {
  setServiceCIDR('172.20.16.0/20');
  try {
    assert.equal(serviceCIDR(), '172.20.16.0/20');
    const inside = ['172.20.16.1', '172.20.31.254'];
    const outside = ['172.20.16.0', '172.20.31.255', '172.20.32.1', '10.96.0.1', '::ac14:1001', ''];
    assert.deepEqual([...inside, ...outside].filter(inServiceRange), inside);
  } finally {
    setServiceCIDR(DEFAULT_SERVICE_CIDR);
  }
});
