import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digest, type TestImage } from './image.ts';

export interface Registry {
  url: string;
  add(image: TestImage): void;
  close(): Promise<void>;
}

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** A read-only OCI registry in this process, on loopback if not told otherwise: just what a pull asks (distribution-spec v1.1, pull). */
export async function startRegistry(host = '127.0.0.1'): Promise<Registry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Buffer>();
  const answer = (req: IncomingMessage, res: ServerResponse) => {
    const path = (req.url ?? '').split('?')[0] ?? '';
    if (path === '/v2/') return res.end('{}');
    const [, name, kind, ref] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    const found = kind === 'blobs' ? blobs.get(`${ref}`) : manifests.get(`${name}@${ref}`);
    if (!found) {
      res.writeHead(404, { 'content-type': 'application/json' });
      return res.end(JSON.stringify({ errors: [{ code: kind === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN' }] }));
    }
    res.writeHead(200, {
      'content-type': kind === 'blobs' ? 'application/octet-stream' : MANIFEST_TYPE,
      'content-length': found.length,
      'docker-content-digest': digest(found),
    });
    return res.end(req.method === 'HEAD' ? undefined : found);
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    add(image) {
      for (const b of image.blobs) blobs.set(digest(b), b);
      manifests.set(`${image.repository}@${image.tag}`, image.manifest);
      manifests.set(`${image.repository}@${digest(image.manifest)}`, image.manifest);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
