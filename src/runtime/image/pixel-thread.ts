/** A thread that makes the pixels of pictures, one after the other. Started by `PixelPool`; ends when it is told. */
import { parentPort } from 'node:worker_threads';
import { sendError } from '../sent-error.js';
import { decodeHere } from './libvips-here.js';
import type { PixelReply, PixelRequest } from './pixel-pool.js';
import type { PixelRules } from './pixel-rules.js';
import { modelPixels } from './prepare-pixels.js';

let rules: PixelRules | undefined;

function reply(answer: PixelReply, moved: readonly ArrayBufferLike[] = []): void {
  parentPort?.postMessage(answer, moved as ArrayBuffer[]);
}

/** Of the last picture in hand: one is made after the other. The first waits for what decodes it. */
let last: Promise<unknown> = decodeHere();

parentPort?.on('message', (request: PixelRequest) => {
  last = last.then(() => serve(request));
});

async function serve(request: PixelRequest): Promise<void> {
  if (request === null) return parentPort?.close();
  if ('rules' in request) return void (rules = request.rules);
  try {
    if (rules === undefined) throw new Error('a picture before the rules');
    const pixels = await modelPixels(request.picture, rules);
    reply({ kind: 'made', pixels }, [pixels.buffer]);
  } catch (error) {
    reply({ kind: 'failed', error: sendError(error) });
  }
}

reply({ kind: 'started' });
