/** A thread that makes the pixels of pictures, one at a time. Started by `PixelPool`; ends when it is told. */
import { parentPort, workerData } from 'node:worker_threads';
import { sendError } from '../sent-error.js';
import type { PixelReply, PixelRequest } from './pixel-pool.js';
import type { PixelRules } from './pixel-rules.js';
import { modelPixels } from './prepare-pixels.js';

const rules = workerData as PixelRules;

function reply(answer: PixelReply, moved: readonly ArrayBufferLike[] = []): void {
  parentPort?.postMessage(answer, moved as ArrayBuffer[]);
}

parentPort?.on('message', (request: PixelRequest) => {
  if (request === null) return parentPort?.close();
  modelPixels(request.picture, rules).then(
    (pixels) => reply({ kind: 'made', pixels }, [pixels.buffer]),
    (error: unknown) => reply({ kind: 'failed', error: sendError(error) }),
  );
});
reply({ kind: 'started' });
