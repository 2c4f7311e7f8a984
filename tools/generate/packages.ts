import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type GoPackage, readPackage } from './gosource.ts';
import type { Modules } from './modules.ts';

/** A Go package that defines served shapes, and the prefix of its structs' names. */
export interface ApiPackage extends GoPackage {
  /** `io.k8s.api.core.v1` */
  model: string;
  /** The generated file it goes to: `core`, `apps`, `meta`, ... */
  file: string;
  version: string;
  /** Texts of generated.proto's messages by name; empty when the package has none. */
  proto: Set<string>;
}

/** Groups of k8s.io/api that no API server of 1.37 serves and nothing here reads. */
const LEFT_OUT = new Set(['extensions', 'imagepolicy']);

/** All packages with shapes of the release. */
export function readPackages(modules: Modules, served: ReadonlySet<string>): ApiPackage[] {
  const out: ApiPackage[] = [];
  const add = (path: string, dir: string, model: string, file: string, version: string) => {
    const pkg = readPackage(path, dir);
    const proto = new Set<string>();
    const protoFile = join(dir, 'generated.proto');
    if (existsSync(protoFile)) {
      for (const m of readFileSync(protoFile, 'utf8').matchAll(/^message (\w+) \{/gm)) proto.add(m[1] ?? '');
    }
    out.push({ ...pkg, model, file, version, proto });
  };
  const api = modules.api;
  for (const group of readdirSync(api).sort()) {
    if (LEFT_OUT.has(group) || !statSync(join(api, group)).isDirectory()) continue;
    for (const version of readdirSync(join(api, group)).sort()) {
      if (!/^v\d/.test(version)) continue;
      const model = `io.k8s.api.${group}.${version}`;
      // Old versions stay in the module for clients; only what this release can serve counts.
      if (!served.has(model) && !UNLISTED.has(`${group}/${version}`)) continue;
      add(`k8s.io/api/${group}/${version}`, join(api, group, version), model, group, version);
    }
  }
  const machinery = (sub: string, model: string, version: string) =>
    add(`k8s.io/apimachinery/pkg/${sub}`, join(modules.apimachinery, 'pkg', sub), model, 'meta', version);
  machinery('apis/meta/v1', 'io.k8s.apimachinery.pkg.apis.meta.v1', 'v1');
  // Table and PartialObjectMetadata of clients that ask for the old version.
  machinery('apis/meta/v1beta1', 'io.k8s.apimachinery.pkg.apis.meta.v1beta1', 'v1beta1');
  machinery('version', 'io.k8s.apimachinery.pkg.version', '');
  machinery('types', 'io.k8s.apimachinery.pkg.types', '');
  machinery('runtime', 'io.k8s.apimachinery.pkg.runtime', '');
  const extensions = 'pkg/apis/apiextensions/v1';
  add(
    `k8s.io/apiextensions-apiserver/${extensions}`,
    join(modules.apiextensions, extensions),
    'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1',
    'apiextensions',
    'v1',
  );
  const registration = 'pkg/apis/apiregistration/v1';
  add(
    `k8s.io/kube-aggregator/${registration}`,
    join(modules.aggregator, registration),
    'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1',
    'apiregistration',
    'v1',
  );
  return out;
}

/** Shapes that go over the wire without being resources of a group: webhook reviews and aggregated discovery. */
const UNLISTED = new Set([
  'admission/v1',
  'admission/v1beta1',
  'apidiscovery/v2',
  'apidiscovery/v2beta1',
  // Old clients evict with it.
  'policy/v1beta1',
]);
