import { Socket } from 'node:net';

type Done = (error?: Error | null) => void;

/** Errors of writing to a peer that has closed. */
const GONE = new Set(['EPIPE', 'ECONNRESET', 'ENOTCONN']);

/**
 * A TCP connection that, when the peer takes no more, still gives out all that the peer has sent: what is written then
 * is dropped, and the reading side alone tells the end. Node's own socket is destroyed by the first failed write, which
 * loses the exit code of a command that ends before it has read all its input.
 */
export class PatientSocket extends Socket {
  #forgive(done: Done): Done {
    return (error) => done(error && GONE.has((error as NodeJS.ErrnoException).code ?? '') ? null : error);
  }

  override _write(chunk: unknown, encoding: BufferEncoding, done: Done): void {
    super._write(chunk, encoding, this.#forgive(done));
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: Done): void {
    super._writev?.(chunks, this.#forgive(done));
  }

  override _final(done: Done): void {
    super._final(this.#forgive(done));
  }
}
