import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StatusError } from '../../../kube/meta/status.ts';
import { CLUSTERS } from '../../../workers/accounts/tenancy.ts';
import { verification } from '../../../workers/accounts/verify.ts';
import type { Bindings } from '../../../workers/bindings.ts';

/** An endpoint with one cluster, whose only part is whole after one slice. */
const bindings = {
  DIRECTORY: { getByName: () => ({ get: async (name: string) => (name === 'one' ? { id: 'a1', name } : null) }) },
  TENANTS: {
    getByName: () => ({
      parts: async () => [],
      verify: async (next: unknown) => ({ table: String(next), rows: 1, unsummed: 0, found: 0, findings: [] }),
    }),
  },
} as unknown as Bindings;

async function verify(spec: object): Promise<{ code: number; body: { message?: string; status?: unknown } }> {
  const app = verification().onError((e) => {
    assert.ok(e instanceof StatusError, String(e));
    return Response.json(e.status, { status: e.code });
  });
  const body = JSON.stringify({ spec });
  const answer = await app.request(`${CLUSTERS}/one/verify`, { method: 'POST', body }, bindings);
  return { code: answer.status, body: await answer.json() };
}

describe('where a verification goes on', () => {
  for (const [what, given] of [
    ['no JSON', '{'],
    ['nothing', '{}'],
    ['a part that no cluster has', '{"parts":["other"]}'],
    ['a number', '{"parts":["main"],"next":3}'],
  ] as const)
    it(`can't be ${what}`, async () => {
      const { code, body } = await verify({ continue: given });
      assert.equal(code, 400, body.message);
    });

  it('is what it has said', async () => {
    const { code, body } = await verify({ continue: '{"parts":["main"],"next":"rows"}' });
    assert.equal(code, 200);
    assert.equal((body.status as { table: string }).table, 'rows');
  });
});
