import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Modules } from './modules.ts';

/** One schema of an OpenAPI v3 document, as far as we read it. */
export interface OpenApiSchema {
  type?: string;
  format?: string;
  $ref?: string;
  allOf?: OpenApiSchema[];
  oneOf?: OpenApiSchema[];
  items?: OpenApiSchema;
  additionalProperties?: OpenApiSchema;
  properties?: Record<string, OpenApiSchema>;
  required?: string[];
  default?: unknown;
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: string;
  'x-kubernetes-patch-strategy'?: string;
  'x-kubernetes-patch-merge-key'?: string;
}
export interface OpenApi {
  schemas: Map<string, OpenApiSchema>;
  /** Names up to the last dot. */
  packages: Set<string>;
  /** Paths (`/api/v1/namespaces/{namespace}/pods/{name}`) whose DELETE answers with the object instead of a Status. */
  returnsDeleted: Set<string>;
}

interface DeleteOperation {
  responses: Record<string, { content?: Record<string, { schema: OpenApiSchema }> }>;
}

/** All schemas of the recorded OpenAPI v3 documents. */
export function readOpenApi(modules: Modules): OpenApi {
  const dir = join(modules.kubernetes, 'api/openapi-spec/v3');
  const schemas = new Map<string, OpenApiSchema>();
  const returnsDeleted = new Set<string>();
  for (const file of readdirSync(dir).sort()) {
    const doc = JSON.parse(readFileSync(join(dir, file), 'utf8')) as {
      paths?: Record<string, { delete?: DeleteOperation }>;
      components?: { schemas?: Record<string, OpenApiSchema> };
    };
    for (const [path, item] of Object.entries(doc.paths ?? {})) {
      const answer = item.delete?.responses['200']?.content?.['application/json']?.schema.$ref ?? '';
      if (path.endsWith('/{name}') && answer !== '' && !answer.endsWith('.v1.Status')) returnsDeleted.add(path);
    }
    for (const [name, schema] of Object.entries(doc.components?.schemas ?? {})) {
      if (!schemas.has(name)) schemas.set(name, schema);
    }
  }
  return { returnsDeleted, schemas, packages: new Set([...schemas.keys()].map((n) => n.slice(0, n.lastIndexOf('.')))) };
}
