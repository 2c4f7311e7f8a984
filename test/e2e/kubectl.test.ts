// kubectl as people use it, of two minors: each step's answer is that of a real cluster (kubectl/kept, `npm run kubectl:record`).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxImage } from '../../node-agent/runtime/testing/image.ts';
import { findModules } from '../../tools/generate/modules.ts';
import { differences, isPlayed } from './kubectl/kept.ts';
import { findKubectls } from './kubectl/kubectls.ts';
import { IMAGES } from './kubectl/play.ts';
import { type Answers, playAll } from './kubectl/playall.ts';
import { sections } from './kubectl/sections.ts';
import { type System, startSystem } from './system.ts';

const SET_UP_MS_MAX = 900_000;
const kubectls = process.getuid?.() === 0 ? await findKubectls((line) => console.error(line)) : [];
const skip = kubectls.length === 0 ? 'needs root and kubectl' : false;
const modules = findModules();
const texts = modules !== null;
if (!texts) console.error("no Go modules of Kubernetes: kubectl explain's texts aren't compared");

let s: System;
let answers: Answers[] = [];
before(
  async () => {
    if (skip) return;
    // What the registry here doesn't have is looked for upstream; without this it would wait there for a minute.
    process.env.HTTPS_PROXY = 'http://127.0.0.1:9';
    // The system has a home of its own.
    if (modules) process.env.GOMODCACHE = join(modules.kubernetes, '../..');
    s = await startSystem(61, { mirrors: ['registry.k8s.io'] });
    for (const [i, image] of Object.values(IMAGES).entries()) {
      const [, repository = '', tag = ''] = /^registry\.k8s\.io\/(.*):(.*)$/.exec(image) ?? [];
      s.registry.add(busyboxImage(repository, tag, { cmd: [`sh${i || ''}`] }));
      // Pulled beforehand, as on the real node.
      await s.kubectl('run', `pull-${i}`, `--image=${image}`, '--restart=Never', '--', 'true');
    }
    await s.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod', '--all', '--timeout=60s');
    await s.kubectl('delete', 'pod', '--all');
    if (texts) await s.coracle('explain-text');
    answers = await playAll(kubectls, s.kubeconfig, isPlayed);
  },
  { timeout: SET_UP_MS_MAX },
);
after(async () => {
  await s?.close();
});

for (const { minor } of kubectls) {
  describe(`kubectl ${minor}`, { skip }, () => {
    for (const section of sections) {
      test(section.name, { skip: section.later ?? false }, (t) => {
        const played = answers.find((a) => a.section === section && a.kubectl.minor === minor);
        assert.ok(played, 'it was not played');
        t.diagnostic(`${played.answers.length} steps in ${Math.round(played.tookMs / 1000)} s`);
        const found = differences(minor, section, played.answers, texts);
        assert.equal(found.length, 0, `\n${found.join('\n\n')}\n(- a real cluster's, + ours)`);
      });
    }
  });
}
