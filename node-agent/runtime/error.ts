/** gRPC status codes by number: grpc codes/codes.go. */
export const CODES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const;
export type Code = (typeof CODES)[number];

/** What a runtime call failed with. `desc` is the runtime's own text; `message` prints as a Go gRPC error does. */
export class RuntimeError extends Error {
  readonly code: Code;
  readonly desc: string;
  constructor(code: Code, desc: string) {
    super(`rpc error: code = ${code} desc = ${desc}`);
    this.name = 'RuntimeError';
    this.code = code;
    this.desc = desc;
  }
}

/** True when the runtime says that the thing asked for doesn't exist. */
export function isNotFound(e: unknown): boolean {
  return e instanceof RuntimeError && e.code === 'NotFound';
}
