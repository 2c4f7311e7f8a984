import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StatusError } from '../../../kube/meta/status.ts';
import { CLUSTERS } from '../../../workers/accounts/tenancy.ts';
import { restores } from '../../../workers/accounts/travel.ts';
import type { Bindings } from '../../../workers/bindings.ts';

/** An endpoint whose one cluster answers a restore with this error. */
const failing = (error: Error) =>
  ({
    DIRECTORY: { getByName: () => ({ get: async () => ({ id: 'a1', name: 'one' }) }) },
    TENANTS: { getByName: () => ({ restore: () => Promise.reject(error) }) },
  }) as unknown as Bindings;

describe('a restore that its store refuses', () => {
  // RPC keeps an error's message and little else.
  for (const [message, code, told] of [
    ['compacted: revision 5 has left history', 410, 'revision 5 has left history'],
    ['future: revision 5 has not been reached', 400, 'revision 5 has not been reached'],
    ['overloaded: too many writes are waiting', 429, 'too many writes are waiting'],
    ['no-cluster: it was deleted', 404, 'clusters.tenancy.coracle.dev "one" not found'],
    ['corrupt: pods/default/a at revision 7: its checksum does not match', 500, 'its checksum does not match'],
  ] as const)
    it(`for "${message}" says so with ${code}`, async () => {
      const app = restores().onError((e) => {
        assert.ok(e instanceof StatusError, String(e));
        return Response.json(e.status, { status: e.code });
      });
      const body = JSON.stringify({ spec: { to: 5 } });
      const answer = await app.request(
        `${CLUSTERS}/one/restore`,
        { method: 'POST', body },
        failing(new Error(message)),
      );
      const status = (await answer.json()) as { message: string };
      assert.equal(answer.status, code);
      assert.ok(status.message.includes(told) && !status.message.includes(message), status.message);
    });
});
