/** Bytes that are not the message they should be, or a value that protobuf can't carry. The texts are those of Go's generated code. */
export class ProtoError extends Error {
  /** The JSON name of the field in which it happened; '' when it is none. */
  readonly field: string;
  constructor(message: string, field = '') {
    super(message);
    this.name = 'ProtoError';
    this.field = field;
  }
}
