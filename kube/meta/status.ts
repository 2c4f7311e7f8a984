import type { JsonObject } from './json.ts';

/** metav1.StatusReason with its HTTP code: apimachinery pkg/apis/meta/v1/types.go. */
const REASONS = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
  ServerTimeout: 500,
} as const;
export type Reason = keyof typeof REASONS;

/** One cause of a Status: the field's path, upstream's cause type and text. */
export interface StatusCause extends JsonObject {
  reason: string;
  message: string;
  field?: string;
}

export interface StatusDetails extends JsonObject {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** metav1.Status, as sent. */
export interface Status extends JsonObject {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: JsonObject;
  status: 'Failure' | 'Success';
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

/** The one error that becomes an HTTP response. Made only by the functions below; turned into a Response in api/respond.ts. */
export class StatusError extends Error {
  readonly status: Status;
  constructor(status: Status) {
    super(status.message);
    this.name = 'StatusError';
    this.status = status;
  }
  get code(): number {
    return this.status.code;
  }
  get reason(): string {
    return this.status.reason ?? '';
  }
}

/** A group and a plural, named as upstream prints it in messages: `pods`, `deployments.apps`. */
export interface ResourceName {
  group: string;
  resource: string;
}
const print = (r: ResourceName) => (r.group === '' ? r.resource : `${r.resource}.${r.group}`);

/** A failure Status of any reason; `code` only where it differs from REASONS. */
export function failure(reason: Reason | '', message: string, details?: StatusDetails, code?: number): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    ...(reason === '' ? {} : { reason }),
    ...(details ? { details } : {}),
    code: code ?? (reason === '' ? 500 : REASONS[reason]),
  });
}

/** A success Status, as DELETE answers for an object that is gone. */
export function success(details?: StatusDetails): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details ? { details } : {}),
    code: 200,
  };
}

// The texts are those of apimachinery pkg/api/errors/errors.go, v0.37.1.
const of = (r: ResourceName, name?: string): StatusDetails => ({
  ...(name ? { name } : {}),
  ...(r.group === '' ? {} : { group: r.group }),
  kind: r.resource,
});

export const notFound = (r: ResourceName, name: string) =>
  failure('NotFound', `${print(r)} ${JSON.stringify(name)} not found`, of(r, name));
export const alreadyExists = (r: ResourceName, name: string) =>
  failure('AlreadyExists', `${print(r)} ${JSON.stringify(name)} already exists`, of(r, name));
export const forbidden = (r: ResourceName, name: string, why: string) =>
  failure(
    'Forbidden',
    r.resource === ''
      ? `forbidden: ${why}`
      : `${print(r)}${name ? ` ${JSON.stringify(name)}` : ''} is forbidden: ${why}`,
    // A path that is no resource has nothing to name.
    r.resource === '' ? {} : of(r, name),
  );
export const conflict = (r: ResourceName, name: string, why: string) =>
  failure('Conflict', `Operation cannot be fulfilled on ${print(r)} ${JSON.stringify(name)}: ${why}`, of(r, name));
/** What a lost optimistic-concurrency race says: apiserver pkg/registry/generic/registry/store.go OptimisticLockErrorMsg. */
export const STALE_WRITE =
  'the object has been modified; please apply your changes to the latest version and try again';
export const badRequest = (why: string) => failure('BadRequest', why);
export const unauthorized = (why = 'Unauthorized') => failure('Unauthorized', why);
export const expired = (why: string) => failure('Expired', why);
export const methodNotSupported = (r: ResourceName, verb: string) =>
  failure('MethodNotAllowed', `${verb} is not supported on resources of kind ${JSON.stringify(print(r))}`, of(r));
export const tooLarge = (why: string) => failure('RequestEntityTooLarge', why);
export const tooMany = (why: string, retryAfterSeconds: number) =>
  failure('TooManyRequests', why, { retryAfterSeconds });
export const internal = (why: string) =>
  failure('InternalError', `Internal error occurred: ${why}`, { causes: [{ message: why } as StatusCause] });
export const unavailable = (why: string) => failure('ServiceUnavailable', why);
/** The request may or may not have been carried out: apierrors.NewTimeoutError. */
export const timeout = (why: string, retryAfterSeconds: number) =>
  failure('Timeout', `Timeout: ${why}`, { retryAfterSeconds });

/** One finding of validation: a field.Error of apimachinery pkg/util/validation/field/errors.go. */
export interface Issue {
  type:
    | 'FieldValueNotFound'
    | 'FieldValueRequired'
    | 'FieldValueDuplicate'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTooFew'
    | 'FieldValueTooShort'
    | 'InternalError'
    | 'FieldValueTypeInvalid';
  /** `spec.containers[0].name`; map keys in brackets. */
  field: string;
  /** The whole text after `field: `, e.g. `Required value: must be set`. kube/meta/issues.ts makes it. */
  message: string;
}

/** 422 of a kind with its issues: apierrors.NewInvalid. One issue prints bare, several print in brackets. */
export function invalid(kind: { group: string; kind: string }, name: string, issues: Issue[]): StatusError {
  const qualified = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const seen = new Set<string>();
  const texts = issues.map((i) => `${i.field}: ${i.message}`).filter((t) => !seen.has(t) && seen.add(t));
  const text = texts.length === 0 ? '<nil>' : texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return failure('Invalid', `${qualified} ${JSON.stringify(name)} is invalid: ${text}`, {
    name,
    ...(kind.group === '' ? {} : { group: kind.group }),
    kind: kind.kind,
    causes: issues.map((i) => ({ reason: i.type, message: i.message, field: i.field })),
  });
}
