import type { Modules } from './modules.ts';
import type { OpenApi } from './openapi.ts';
export function resourceFile(_m: Modules, _o: OpenApi): string {
  return 'export {};\n';
}
