import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatInZone, parseSchedule } from './schedule.ts';

// Cases of robfig/cron v3 spec_test.go and parser_test.go, without their field of seconds.

const NY = 'America/New_York';
const nextOf = (from: string, spec: string, zone = 'UTC') => {
  const s = parseSchedule(spec, zone);
  assert.ok(!(s instanceof Error), String(s));
  const ms = s.next(Date.parse(from));
  return ms === undefined ? undefined : new Date(ms).toISOString();
};

describe('when a schedule is due next', () => {
  const table: [string, string, string | undefined, string?][] = [
    ['2012-07-09T14:45:00Z', '0/15 * * * *', '2012-07-09T15:00:00Z'],
    ['2012-07-09T14:59:00Z', '0/15 * * * *', '2012-07-09T15:00:00Z'],
    ['2012-07-09T14:59:59Z', '0/15 * * * *', '2012-07-09T15:00:00Z'],
    ['2012-07-09T14:59:59.999Z', '0/15 * * * *', '2012-07-09T15:00:00Z'],
    ['2012-07-09T15:45:00Z', '20-35/15 * * * *', '2012-07-09T16:20:00Z'],
    ['2012-07-09T23:46:00Z', '*/15 * * * *', '2012-07-10T00:00:00Z'],
    ['2012-07-09T23:45:00Z', '20-35/15 * * * *', '2012-07-10T00:20:00Z'],
    ['2012-07-09T23:35:51Z', '20-35/15 1/2 * * *', '2012-07-10T01:20:00Z'],
    ['2012-07-09T23:35:51Z', '20-35/15 10-12 * * *', '2012-07-10T10:20:00Z'],
    ['2012-07-09T23:35:51Z', '20-35/15 1/2 */2 * *', '2012-07-11T01:20:00Z'],
    ['2012-07-09T23:35:51Z', '20-35/15 * 9-20 * *', '2012-07-10T00:20:00Z'],
    ['2012-07-09T23:35:51Z', '20-35/15 * 9-20 Jul *', '2012-07-10T00:20:00Z'],
    ['2012-07-09T23:35:00Z', '0 0 9 Apr-Oct ?', '2012-08-09T00:00:00Z'],
    ['2012-07-09T23:35:00Z', '0 0 */5 Apr,Aug,Oct Mon', '2012-08-01T00:00:00Z'],
    ['2012-07-09T23:35:00Z', '0 0 */5 Oct Mon', '2012-10-01T00:00:00Z'],
    ['2012-07-09T23:35:00Z', '0 0 * Feb Mon', '2013-02-04T00:00:00Z'],
    ['2012-07-09T23:35:00Z', '0 0 * Feb Mon/2', '2013-02-01T00:00:00Z'],
    ['2012-12-31T23:59:45Z', '* * * * *', '2013-01-01T00:00:00Z'],
    ['2012-07-09T23:35:00Z', '0 0 29 Feb ?', '2016-02-29T00:00:00Z'],
    ['2012-07-09T23:35:00Z', '0 0 30 Feb ?', undefined],
    ['2012-07-09T23:35:00Z', '0 0 31 Apr ?', undefined],
    // Clocks go forward: what falls into the hour that isn't is left out.
    ['2012-03-11T00:00:00-05:00', '30 2 11 Mar ?', '2013-03-11T02:30:00-04:00', NY],
    ['2012-03-11T00:00:00-05:00', '0 * * * ?', '2012-03-11T01:00:00-05:00', NY],
    ['2012-03-11T01:00:00-05:00', '0 * * * ?', '2012-03-11T03:00:00-04:00', NY],
    ['2012-03-11T03:00:00-04:00', '0 * * * ?', '2012-03-11T04:00:00-04:00', NY],
    ['2012-03-11T00:00:00-05:00', '0 1 * * ?', '2012-03-11T01:00:00-05:00', NY],
    ['2012-03-11T01:00:00-05:00', '0 1 * * ?', '2012-03-12T01:00:00-04:00', NY],
    ['2012-03-11T00:00:00-05:00', '0 2 * * ?', '2012-03-12T02:00:00-04:00', NY],
    // And back: what falls into the hour that is twice is due twice.
    ['2012-11-04T00:00:00-04:00', '30 2 04 Nov ?', '2012-11-04T02:30:00-05:00', NY],
    ['2012-11-04T01:45:00-04:00', '30 1 04 Nov ?', '2012-11-04T01:30:00-05:00', NY],
    ['2012-11-04T00:00:00-04:00', '0 * * * ?', '2012-11-04T01:00:00-04:00', NY],
    ['2012-11-04T01:00:00-04:00', '0 * * * ?', '2012-11-04T01:00:00-05:00', NY],
    ['2012-11-04T01:00:00-05:00', '0 * * * ?', '2012-11-04T02:00:00-05:00', NY],
    ['2012-11-04T00:00:00-04:00', '0 1 * * ?', '2012-11-04T01:00:00-04:00', NY],
    ['2012-11-04T01:00:00-04:00', '0 1 * * ?', '2012-11-04T01:00:00-05:00', NY],
    ['2012-11-04T01:00:00-05:00', '0 1 * * ?', '2012-11-05T01:00:00-05:00', NY],
    ['2012-11-04T00:00:00-04:00', '0 2 * * ?', '2012-11-04T02:00:00-05:00', NY],
    ['2012-11-04T02:00:00-05:00', '0 2 * * ?', '2012-11-05T02:00:00-05:00', NY],
    ['2012-11-04T00:00:00-04:00', '0 3 3 * ?', '2012-12-03T03:00:00-05:00', NY],
    // Where midnight isn't.
    ['2018-10-17T05:00:00-04:00', '0 9 10 * ?', '2018-11-10T06:00:00-05:00', 'America/Sao_Paulo'],
    ['2018-02-14T05:00:00-05:00', '0 9 22 * ?', '2018-02-22T07:00:00-05:00', 'America/Sao_Paulo'],
    ['2016-01-03T13:09:03+05:30', '14 14 * * *', '2016-01-03T14:14:00+05:30', 'Asia/Kolkata'],
    ['2012-03-11T00:00:00-05:00', 'TZ=America/New_York 0 1 * * ?', '2012-03-11T01:00:00-05:00'],
    ['2012-03-11T00:00:00-05:00', 'CRON_TZ=America/New_York 0 * * * ?', '2012-03-11T01:00:00-05:00'],
    ['2012-07-09T23:35:00Z', '@yearly', '2013-01-01T00:00:00Z'],
    ['2012-07-09T23:35:00Z', '@monthly', '2012-08-01T00:00:00Z'],
    ['2012-07-09T23:35:00Z', '@weekly', '2012-07-15T00:00:00Z'],
    ['2012-07-09T23:35:00Z', '@daily', '2012-07-10T00:00:00Z'],
    ['2012-07-09T23:35:00Z', '@hourly', '2012-07-10T00:00:00Z'],
    ['2012-07-09T23:35:00.400Z', '@every 1h30m', '2012-07-10T01:05:00Z'],
    ['2012-07-09T23:35:00Z', '@every 10ms', '2012-07-09T23:35:01Z'],
  ];
  for (const [from, spec, is, zone] of table)
    it(`${spec} after ${from}${zone ? ` in ${zone}` : ''}`, () =>
      assert.equal(nextOf(from, spec, zone), is && new Date(Date.parse(is)).toISOString()));
});

describe('which days a schedule means', () => {
  const due = (spec: string, day: string) => nextOf(`${day}T00:00:00Z`, spec)?.slice(0, 10) === day;
  const table: [string, string, boolean][] = [
    ['* * 15 Jul Sun', '2012-07-15', true],
    ['* * 15 Jun Sun', '2012-07-15', false],
    ['* * 1,15 * Sun', '2012-06-15', true],
    ['* * 1,15 * Sun', '2012-06-10', true],
    ['* * 1,15 * *', '2012-06-10', false],
    ['* * * * Mon', '2012-07-15', false],
    ['* * */10 * Sun', '2012-07-15', true],
    ['* * */10 * Sun', '2012-07-11', true],
    ['* * */10 * *', '2012-07-15', false],
  ];
  for (const [spec, day, is] of table) it(`${spec} on ${day}: ${is}`, () => assert.equal(due(spec, day), is));
});

describe('what is no schedule', () => {
  for (const spec of ['xyz', '60 0 * * *', '0 60 * * *', '0 0 * * XYZ', '', '@nightly', '@every x', '* * * *'])
    it(`'${spec}'`, () => assert.ok(parseSchedule(spec) instanceof Error));
  it('in a zone nobody knows', () =>
    assert.equal(
      String(parseSchedule('TZ=Mars/Base * * * * *')),
      'Error: provided bad location Mars/Base: unknown time zone Mars/Base',
    ));
});

it('a time is printed as Go does in a zone', () => {
  const at = Date.parse('2026-07-01T12:00:00Z');
  assert.deepEqual(
    ['UTC', NY, 'Asia/Kolkata', 'Europe/London'].map((z) => formatInZone(at, z)),
    ['2026-07-01T12:00:00Z', '2026-07-01T08:00:00-04:00', '2026-07-01T17:30:00+05:30', '2026-07-01T13:00:00+01:00'],
  );
});
