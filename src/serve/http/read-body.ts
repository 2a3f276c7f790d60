import type { IncomingMessage } from 'node:http';
import { Blip2Error } from '../../errors.js';
import type { Admitted } from '../admission.js';
import type { ServeLimits } from '../limits.js';

/**
 * The JSON of a request's body. No more is read than may be, whatever the headers say.
 * @throws Blip2Error `REQUEST_TOO_LARGE`, `REQUEST_SLOW`, `QUEUE_FULL`, `CONTENT_TYPE`, `REQUEST_INVALID`
 */
export async function readJsonBody(
  request: IncomingMessage,
  place: Admitted,
  { bodyBytes, bodyMs }: Pick<ServeLimits, 'bodyBytes' | 'bodyMs'>,
): Promise<unknown> {
  // Pages of other sites can send a browser's forms here, but not this type.
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new Blip2Error('CONTENT_TYPE', 'the body has to be application/json');
  }
  if (request.headers['content-encoding'] !== undefined) {
    throw new Blip2Error('CONTENT_TYPE', 'a compressed body is not read');
  }
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > bodyBytes) throw tooLarge(bodyBytes);
  place.keep(announced);
  const timeout = AbortSignal.timeout(bodyMs);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of withSignal(request, timeout)) {
      bytes += chunk.length;
      if (bytes > bodyBytes) throw tooLarge(bodyBytes);
      if (bytes > announced) place.keep(bytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (timeout.aborted) throw new Blip2Error('REQUEST_SLOW', `the body is not here after ${bodyMs / 1000} s`);
    throw error;
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))) as unknown;
  } catch {
    throw new Blip2Error('REQUEST_INVALID', 'the body is not JSON in UTF-8', { details: { param: 'body' } });
  }
}

/** The chunks of a request, as long as the signal lets it. The request stays open for its answer. */
async function* withSignal(request: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  const chunks: AsyncIterator<Buffer> = request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([chunks.next(), aborted]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // Until then nobody else gets what comes; a chunk that is waited for may never come.
    void chunks.return?.();
  }
}

function tooLarge(limitBytes: number): Blip2Error {
  return new Blip2Error('REQUEST_TOO_LARGE', `the body has more than the ${limitBytes} bytes that it may have`, {
    hint: 'Shrink the picture: a model reads a few hundred pixels a side.',
    details: { limitBytes },
  });
}
