import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalizeReference } from './reference.ts';

const D = `sha256:${'a'.repeat(64)}`;
const CASES: [string, string][] = [
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36'],
  ['me/app', 'docker.io/me/app:latest'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['index.docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app', 'localhost:5000/app:latest'],
  ['host:5000/a/b:v1', 'host:5000/a/b:v1'],
  ['registry.k8s.io/pause:3.10.1', 'registry.k8s.io/pause:3.10.1'],
  [`busybox@${D}`, `docker.io/library/busybox@${D}`],
  [`registry.k8s.io/pause:3.10.1@${D}`, `registry.k8s.io/pause@${D}`],
  [`host:5000/app@${D}`, `host:5000/app@${D}`],
];
for (const [short, full] of CASES) {
  test(`${short} is stored as ${full}`, () => assert.equal(normalizeReference(short), full));
}
