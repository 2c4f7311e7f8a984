// What authentication costs per request in an isolate that has seen the token, and the first time. Run: node test/bench/authn.ts
import { exportJWK, generateKeyPair } from 'jose';
import type { ClusterContext } from '../../api/attributes.ts';
import { authenticateRequest } from '../../api/authn/authenticate.ts';
import { signServiceAccountToken } from '../../api/authn/jwt.ts';
import { sha256Hex } from '../../api/authn/text.ts';
import { createPolicyView } from '../../api/policy.ts';

const ROUNDS = 50_000;

async function cluster(alg: string): Promise<ClusterContext> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    id: `bench-${alg}`,
    env: {
      now: () => Date.now(),
      random: Math.random,
      uuid: () => crypto.randomUUID(),
      after: () => () => {},
      log: () => {},
    },
    store: () => {
      throw new Error('no store is needed');
    },
    view: createPolicyView(),
    keys: {
      issuer: 'https://bench',
      signing: [(await exportJWK(privateKey)) as JsonWebKey],
      ca: '',
      tokens: { [await sha256Hex('admin')]: { name: 'admin', groups: ['system:masters'] } },
    },
    url: 'https://bench',
    waitUntil: () => {},
  };
}

async function measure(name: string, token: string, c: ClusterContext): Promise<void> {
  const headers = new Headers({ authorization: `Bearer ${token}` });
  const first = performance.now();
  await authenticateRequest(headers, c);
  const firstUs = (performance.now() - first) * 1000;
  for (let i = 0; i < ROUNDS / 10; i++) await authenticateRequest(headers, c);
  const start = performance.now();
  for (let i = 0; i < ROUNDS; i++) await authenticateRequest(headers, c);
  const us = ((performance.now() - start) * 1000) / ROUNDS;
  console.log(`${us.toFixed(2).padStart(8)} us  ${name} (the first time ${firstUs.toFixed(0)} us)`);
}

for (const alg of ['ES256', 'RS256']) {
  const c = await cluster(alg);
  const sa = {
    namespace: 'ns',
    serviceAccount: { name: 'sa', uid: 'u' },
    audiences: ['https://bench'],
    expirationSeconds: 3_600,
  };
  const { token } = await signServiceAccountToken({ ...sa, pod: { name: 'p', uid: 'u' } }, c);
  await measure(`ServiceAccount token, ${alg}`, token, c);
}
await measure('static token', 'admin', await cluster('ES256'));
