import type { ApiPackage } from './packages.ts';
export function typeFiles(_p: ApiPackage[], _head: string): [string, string][] {
  return [];
}
