import type { Call } from './call.ts';
import { plainText } from './respond.ts';
export const openApiIndex = (call: Call): Response => plainText(call, 404, '404 page not found\n');
export const openApiV3 = openApiIndex;
export const openApiV2 = openApiIndex;
