import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiError } from '../api/api-error.js';

/** How much of a body that is refused is still read, so that its sender gets to read why. */
const LINGER_BYTES = 64 * 1024 * 1024;
const LINGER_MS = 2000;

export function sendText(response: ServerResponse, status: number, text: string, type: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text);
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  sendText(response, status, JSON.stringify(body), 'application/json');
}

/** As an answer, or as the last event of one that has begun. */
export async function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body, isPassing }: ApiError,
): Promise<void> {
  if (response.destroyed) return;
  if (response.headersSent) {
    if (!response.writableEnded) response.end(`data: ${JSON.stringify(body)}\n\n`);
    return;
  }
  if (isPassing) response.setHeader('retry-after', '1');
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  if (!request.complete) {
    response.setHeader('connection', 'close');
    await discarded(request);
  }
  sendJson(response, status, body);
}

/** A connection that is closed with bytes in it is reset, and the answer with it. */
async function discarded(request: IncomingMessage): Promise<void> {
  let bytes = 0;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > LINGER_BYTES) done();
    });
    request.once('end', done).once('close', done).resume();
  });
}
