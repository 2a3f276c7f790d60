/** Threads that read, decode, resize and normalise pictures, so that the thread which feeds a device does not. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { receiveError, type SentError } from '../sent-error.js';
import type { LocalPicture } from './picture-source.js';
import type { ModelPixels, PixelRules } from './pixel-rules.js';
import { modelPixels } from './prepare-pixels.js';

/** To a thread: rules first of all, then pictures; null ends it. */
export type PixelRequest = { readonly rules: PixelRules } | { readonly picture: LocalPicture } | null;

/** From a thread, first of all that it has started. */
export type PixelReply =
  | { readonly kind: 'started' }
  | { readonly kind: 'made'; readonly pixels: ModelPixels }
  | { readonly kind: 'failed'; readonly error: SentError };

interface Job {
  readonly picture: LocalPicture;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (pixels: ModelPixels) => void;
  readonly reject: (error: unknown) => void;
}

export interface PixelThread {
  readonly worker: Worker;
  readonly exit: Promise<unknown>;
  state: 'starting' | 'started' | 'ended';
  /** What it has in hand: it answers in their order. */
  readonly jobs: Job[];
}

/** A thread for a pool that is still to come. It loads what decodes pictures, which takes longer than most of them do. */
export function startPixelThread(): PixelThread {
  // Flags of this process, such as --input-type, may be of no use to a thread or stop it.
  const worker = new Worker(new URL('./pixel-thread.js', import.meta.url), { execArgv: [] });
  worker.unref();
  // Not `once` of node:events, which rejects at the error before the exit.
  const exit = new Promise((resolve) => worker.on('exit', resolve));
  const thread: PixelThread = { worker, exit, state: 'starting', jobs: [] };
  worker.once('message', () => (thread.state = 'started'));
  worker.on('error', () => undefined);
  worker.on('exit', () => (thread.state = 'ended'));
  return thread;
}

/** Once what it has in hand is done. */
export async function endPixelThread({ worker, exit }: PixelThread): Promise<void> {
  worker.ref();
  worker.postMessage(null satisfies PixelRequest);
  await exit;
}

/**
 * Pictures that a thread has in hand: it goes on by itself while this one waits for a device, which may take as long as many
 * pictures.
 */
const IN_HAND = 8;
/** Pictures that are made here at a time, where no thread does it: one is read while another is resized. */
const HERE_AT_ONCE = 2;

export class PixelPool implements AsyncDisposable {
  readonly rules: PixelRules;
  readonly #threads = new Set<PixelThread>();
  readonly #jobs: Job[] = [];
  #mostThreads: number;
  #here = 0;
  #closed = false;

  /**
   * @param threads at most; they start when there is more than one picture to make. Default: one per core
   * @param first one that was started already
   */
  constructor(rules: PixelRules, threads = availableParallelism(), first?: PixelThread) {
    this.rules = rules;
    this.#mostThreads = threads;
    if (first !== undefined && first.state !== 'ended') this.#adopt(first);
  }

  /**
   * The pixels of a picture, `[3, height, width]`. They are begun in the order in which they are asked for, as many at a time as
   * there are threads.
   * @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_UNREADABLE`, or `IMAGE_SIZE` for a picture of another size than the model reads;
   *   the signal's reason for one whose turn comes after it was aborted
   */
  async pixels(picture: LocalPicture, signal?: AbortSignal): Promise<ModelPixels> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ picture, signal, resolve, reject });
      this.#assign();
    });
  }

  #assign(): void {
    const threads = [...this.#threads];
    for (let thread = leastBusy(threads); thread !== undefined; thread = leastBusy(threads)) {
      const job = this.#next();
      if (job === undefined) break;
      give(thread, job);
    }
    // One thread starts after the other, and none for a picture alone: a short job does not start them all.
    const isBusy = this.#jobs.length > 0 && threads.length + this.#here > 0;
    const isStarting = threads.some(({ state }) => state === 'starting');
    if (isBusy && !isStarting && !this.#closed && threads.length < this.#mostThreads) this.#adopt(startPixelThread());
    // Until a thread has started, and where none can.
    while (this.#here < HERE_AT_ONCE && threads.every(({ state }) => state !== 'started')) {
      const job = this.#next();
      if (job === undefined) return;
      void this.#makeHere(job);
    }
  }

  /** Nobody waits for what was aborted. */
  #next(): Job | undefined {
    let job = this.#jobs.shift();
    for (; job?.signal?.aborted === true; job = this.#jobs.shift()) job.reject(job.signal.reason);
    return job;
  }

  async #makeHere({ picture, resolve, reject }: Job): Promise<void> {
    this.#here += 1;
    await modelPixels(picture, this.rules).then(resolve, reject);
    this.#here -= 1;
    this.#assign();
  }

  #adopt(thread: PixelThread): void {
    const { worker, jobs } = thread;
    this.#threads.add(thread);
    worker.postMessage({ rules: this.rules } satisfies PixelRequest);
    worker.on('message', (reply: PixelReply) => {
      if (reply.kind !== 'started') finish(jobs.shift(), reply);
      if (jobs.length === 0 && !this.#closed) worker.unref();
      this.#assign();
    });
    worker.on('exit', () => this.#lose(thread));
  }

  /** Whatever ended a thread: its pictures are made by others, or here, and no other thread takes its place. */
  #lose(thread: PixelThread): void {
    this.#threads.delete(thread);
    this.#mostThreads -= 1;
    this.#jobs.unshift(...thread.jobs);
    this.#assign();
  }

  /** Pictures that are being made are finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#threads].map(endPixelThread));
  }
}

function leastBusy(threads: readonly PixelThread[]): PixelThread | undefined {
  const able = threads.filter(({ state, jobs }) => state === 'started' && jobs.length < IN_HAND);
  return able.sort((a, b) => a.jobs.length - b.jobs.length)[0];
}

/** What a thread cannot be sent, such as bytes that were moved elsewhere, it does not answer: answers go to jobs by their order. */
function give({ worker, jobs }: PixelThread, job: Job): void {
  const request: PixelRequest = { picture: job.picture };
  try {
    worker.postMessage(request);
  } catch (error) {
    return job.reject(error);
  }
  jobs.push(job);
  worker.ref();
}

function finish(job: Job | undefined, reply: Exclude<PixelReply, { kind: 'started' }>): void {
  if (reply.kind === 'made') job?.resolve(reply.pixels);
  else job?.reject(receiveError(reply.error));
}
