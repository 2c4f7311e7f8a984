// Made by tools/bootstrap/generate.ts. Don't edit.
export const HASH = 'f95e995321d8a03373afa86266ddf65c';
