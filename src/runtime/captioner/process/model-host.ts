/** The process that holds a model for a caller elsewhere. Started by `ModelProcess`; it ends with its channel. */
import { startCard } from './start-driver.js';
import { isRetrieval, parseModelConfig } from '../../../model/blip2-config.js';
import { CaptionEngine } from '../../engine/caption-engine.js';
import type { AnswerToken, CaptionHooks } from '../../engine/captioner-options.js';
import { MatchEngine } from '../../engine/match-engine.js';
import { DriverThread } from '../../device/memory/driver-thread.js';
import { keepNoPictures } from '../../image/libvips-pixels.js';
import { sendError } from '../../sent-error.js';
import { PulledPictures } from './pulled-pictures.js';
import { sendOutcome, type Reply, type Request, type Work, type Works } from './messages.js';

const aborts = new Map<number, AbortController>();
/** Calls that wait until the caller has taken a token. */
const takers = new Map<number, () => void>();
/** Streams that wait for pictures. */
const streams = new Map<number, PulledPictures>();
let engine: CaptionEngine | MatchEngine | undefined;

process.on('message', (request: Request) => {
  switch (request.kind) {
    case 'card':
      return startCard(request.card);
    case 'work':
      return void answer(request.call, request.work);
    case 'token-taken':
      return takers.get(request.call)?.();
    case 'pictures':
      return streams.get(request.call)?.give(request.pictures);
    case 'drop':
      return streams.get(request.call)?.drop(request.index);
    case 'abort':
      streams.get(request.call)?.end();
      aborts.get(request.call)?.abort();
      return takers.get(request.call)?.();
  }
});

// A terminal sends Ctrl-C to the caller's processes all at once, and so do supervisors with what ends a service. What it means
// is the caller's to say.
process.on('SIGINT', () => {}).on('SIGTERM', () => {});

process.on('disconnect', end);

async function answer(call: number, work: Work): Promise<void> {
  const abort = new AbortController();
  aborts.set(call, abort);
  try {
    send({ kind: 'done', call, answer: await perform(call, work, abort.signal) });
  } catch (error) {
    send({ kind: 'failed', call, error: sendError(error) });
  } finally {
    aborts.delete(call);
    takers.delete(call);
    streams.delete(call);
  }
}

async function perform(call: number, work: Work, signal: AbortSignal): Promise<Works[keyof Works]['answer']> {
  switch (work.kind) {
    case 'start':
      engine = await open(work);
      return null;
    case 'caption':
      return captioning().captionBatch(work.batch, { signal, ...(work.tokens ? { onToken: tokenSender(call) } : {}) });
    case 'stream':
      return stream(call, work, signal);
    case 'match':
      return matching().match(work.picture, work.texts, signal);
    case 'embed-image':
      return matching().embedImage(work.picture, signal);
    case 'embed-texts':
      return matching().embedTexts(work.texts, signal);
  }
}

async function stream(call: number, { request, tokens }: Works['stream']['given'], signal: AbortSignal): Promise<null> {
  const pictures = new PulledPictures((most) => send({ kind: 'pull', call, most }));
  streams.set(call, pictures);
  const tell = (token: AnswerToken): void => send({ kind: 'token', call, token });
  const hooks = { signal, ...(tokens ? { onToken: request.isPaced === false ? tell : tokenSender(call) } : {}) };
  for await (const outcomes of captioning().captionStream(pictures, request, hooks)) {
    pictures.answered(outcomes);
    send({ kind: 'outcomes', call, outcomes: outcomes.map(sendOutcome) });
  }
  return null;
}

async function open({ checkpoint, options }: Works['start']['given']): Promise<CaptionEngine | MatchEngine> {
  keepNoPictures();
  const onConvert = (writtenBytes: number, totalBytes: number) => send({ kind: 'converted', writtenBytes, totalBytes });
  const Engine = isRetrieval(parseModelConfig(checkpoint.config)) ? MatchEngine : CaptionEngine;
  return Engine.create(checkpoint, { ...options, onConvert }).finally(() => DriverThread.end());
}

function captioning(): CaptionEngine {
  if (engine instanceof CaptionEngine) return engine;
  throw new Error('no model that captions has started');
}

function matching(): MatchEngine {
  if (engine instanceof MatchEngine) return engine;
  throw new Error('no model that matches has started');
}

function tokenSender(call: number): NonNullable<CaptionHooks['onToken']> {
  return (token) =>
    new Promise<void>((resolve) => {
      takers.set(call, resolve);
      send({ kind: 'token', call, token });
    });
}

/** A reply can fail before the channel is seen to be closed, and nobody would hear of it: its caller has gone meanwhile. */
function send(reply: Reply): void {
  process.send?.(reply, undefined, undefined, (error) => {
    if (error !== null) end();
  });
}

/**
 * Whoever started this process is gone, or done with it. Nothing is left to say or to save, and ONNX Runtime's CUDA provider
 * aborts with a message where its destructors run.
 */
function end(): void {
  process.kill(process.pid, 'SIGKILL');
}
