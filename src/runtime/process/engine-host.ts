/** The process that holds a model for a captioner elsewhere. Started by `EngineProcess`; it ends with its channel. */
import sharp from 'sharp';
import { CaptionEngine } from '../caption-engine.js';
import { sendError, START_CALL, type Reply, type Request } from './messages.js';

// Decoded pictures are read once: libvips would keep up to 50 MB of them.
sharp.cache(false);

const aborts = new Map<number, AbortController>();
/** Calls that wait until the caller has taken a token. */
const takers = new Map<number, () => void>();
let engine: CaptionEngine | undefined;

process.on('message', (request: Request) => {
  switch (request.kind) {
    case 'start':
      return void answer(START_CALL, () => start(request));
    case 'caption':
      return void answer(request.call, () => caption(request));
    case 'token-taken':
      return takers.get(request.call)?.();
    case 'abort':
      aborts.get(request.call)?.abort();
      return takers.get(request.call)?.();
  }
});

// A terminal sends Ctrl-C to the caller's processes all at once. What it means is the caller's to say.
process.on('SIGINT', () => {});

// Whoever started this process is gone, or done with it. Nothing is left to say or to save, and ONNX Runtime's CUDA
// provider aborts with a message where its destructors run.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

async function start({ checkpoint, options }: Extract<Request, { kind: 'start' }>): Promise<Reply> {
  engine = await CaptionEngine.create(checkpoint, {
    ...options,
    onConvert: (writtenBytes, totalBytes) => send({ kind: 'converted', writtenBytes, totalBytes }),
  });
  return { kind: 'started' };
}

async function caption({ call, batch, tokens }: Extract<Request, { kind: 'caption' }>): Promise<Reply> {
  if (engine === undefined) throw new Error('the model has not started');
  const abort = new AbortController();
  aborts.set(call, abort);
  const taken = (event: Extract<Reply, { kind: 'token' }>['event']) =>
    new Promise<void>((resolve) => {
      takers.set(call, resolve);
      send({ kind: 'token', call, event });
    });
  const hooks = { signal: abort.signal, ...(tokens ? { onToken: taken } : {}) };
  return { kind: 'captions', call, captions: await engine.captionBatch(batch, hooks) };
}

async function answer(call: number, work: () => Promise<Reply>): Promise<void> {
  try {
    send(await work());
  } catch (error) {
    send({ kind: 'failed', call, error: sendError(error) });
  } finally {
    aborts.delete(call);
    takers.delete(call);
  }
}

function send(reply: Reply): void {
  process.send?.(reply);
}
