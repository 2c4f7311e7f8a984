import { join } from 'node:path';
import { root } from '../home.ts';
import { makeAssets } from './assets.ts';

// What `wrangler deploy` uploads beside the Worker (wrangler.toml, [build]). A file there has at most 25 MiB: machines without a Node.js get it from npm.
await makeAssets(join(root, 'dist', 'assets'), { node: false });
