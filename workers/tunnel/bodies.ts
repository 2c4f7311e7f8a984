import * as v from 'valibot';
import { onAbort } from '../../kube/meta/env.ts';
import { internal } from '../../kube/meta/status.ts';
import { CREDIT_BYTES, type Head, StreamFrame } from '../../kube/wire/messages.ts';

// HTTP bodies over an agent's socket: who receives grants bytes, who sends has never more under way.

/** A close frame's reason has room for 123 bytes of UTF-8. */
const CLOSE_REASON_CHARS_MAX = 40;
/** Answers that have no body, whatever the agent sends. */
const BODILESS = new Set([204, 205, 304]);

/** The agent's socket, ready to be read as bytes. */
export function accepted(agent: WebSocket): WebSocket {
  // Newer compatibility dates give Blobs otherwise.
  agent.binaryType = 'arraybuffer';
  agent.accept();
  return agent;
}

/** The answer of a head and the agent's frames after it. */
export function answered(head: Head, agent: WebSocket): Response {
  const init = { status: head.status, headers: head.headers ?? {} };
  if (!BODILESS.has(head.status)) return new Response(body(agent), init);
  agent.close(1000, 'end');
  return new Response(null, init);
}

/**
 * Sends the request's body as the agent grants it, and gives the answer once the agent sends its head; 500 when it goes away before. A client that goes
 * (`signal`, as far as the platform notices) ends it, answered or not.
 */
export function exchange(
  peer: WebSocket,
  request: ReadableStream<Uint8Array> | null,
  signal: AbortSignal,
): Promise<Response> {
  const agent = accepted(peer);
  let over = false;
  const leave = () => over || agent.close(1000, 'the client went away');
  if (signal.aborted) leave();
  const forget = onAbort(signal, leave);
  let credit = 0;
  let wake: () => void = () => undefined;
  const sent = (async () => {
    const reader = request?.getReader();
    for (;;) {
      const part = await reader?.read();
      if (over) return void reader?.cancel();
      if (!part || part.done) return agent.send(JSON.stringify({ type: 'end' }));
      for (let from = 0; from < part.value.length; ) {
        while (credit === 0 && !over) await new Promise<void>((r) => (wake = r));
        if (over) return void reader?.cancel();
        const bytes = part.value.subarray(from, from + credit);
        from += bytes.length;
        credit -= bytes.length;
        agent.send(bytes);
      }
    }
  })();
  return new Promise((resolve) => {
    let answering = false;
    const end = () => {
      over = true;
      forget();
      wake();
      if (!answering) {
        const { status } = internal('error trying to reach service: the node went away');
        resolve(Response.json(status, { status: status.code }));
      }
    };
    // A client that breaks off its body gets no answer, and the agent hears of it by the close.
    sent.catch(() => agent.close(1011, 'the client went away'));
    agent.addEventListener('close', end);
    agent.addEventListener('error', end);
    agent.addEventListener('message', ({ data }) => {
      if (typeof data !== 'string' || answering) return;
      const frame = v.safeParse(v.pipe(v.string(), v.parseJson(), StreamFrame), data);
      if (!frame.success) return;
      if (frame.output.type === 'credit') {
        credit += frame.output.bytes;
        wake();
      } else if (frame.output.type === 'head') {
        answering = true;
        resolve(answered(frame.output.head, agent));
      }
    });
  });
}

/** The agent's binary frames as a body. The agent may have CREDIT_BYTES under way; more is granted as the client reads. */
function body(agent: WebSocket): ReadableStream<Uint8Array> {
  let granted = 0;
  let over = false;
  const stop = (code: number, why: string, end?: () => void) => {
    if (over) return;
    over = true;
    end?.();
    agent.close(code, why);
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const fail = (why: string) => stop(1011, why, () => controller.error(new Error(why)));
        agent.addEventListener('message', ({ data }) => {
          if (over) return;
          if (typeof data !== 'string') {
            const bytes = new Uint8Array(data as ArrayBuffer);
            granted -= bytes.byteLength;
            if (granted < 0) return fail('the agent sent more than it was granted');
            if (bytes.byteLength > 0) controller.enqueue(bytes);
            return;
          }
          const frame = v.safeParse(v.pipe(v.string(), v.parseJson(), StreamFrame), data);
          if (!frame.success || frame.output.type !== 'end') return;
          if (frame.output.error === undefined) stop(1000, 'end', () => controller.close());
          else fail(frame.output.error.slice(0, CLOSE_REASON_CHARS_MAX));
        });
        // A body that ends well ends with a frame that says so: without it the rest is missing.
        agent.addEventListener('close', () => fail('the node went away'));
        agent.addEventListener('error', () => fail('the node went away'));
      },
      pull(controller) {
        // Called when the queue is below the high-water mark: let the agent fill it up again.
        const bytes = Math.max(0, (controller.desiredSize ?? 0) - granted);
        if (bytes === 0 || over) return;
        granted += bytes;
        agent.send(JSON.stringify({ type: 'credit', bytes }));
      },
      cancel: () => stop(1000, 'the client went away'),
    },
    { highWaterMark: CREDIT_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
  );
}
