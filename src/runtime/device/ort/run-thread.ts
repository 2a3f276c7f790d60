/**
 * A thread that runs bindings, while this one goes on. It is always the same: what a provider's kernels make on their first run
 * they keep for the thread that runs them.
 */
import { Worker } from 'node:worker_threads';
import { Blip2Error } from '../../../errors.js';
import { runBinding, type RunReply, type RunRequest } from './run-binding.js';

interface PendingRun {
  readonly request: Exclude<RunRequest, null>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class RunThread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #exit: Promise<unknown>;
  /** In the order in which they were asked for. */
  readonly #pending: PendingRun[] = [];
  #isLost = false;

  constructor() {
    // Flags of this process, such as --input-type, may be of no use to a thread or stop it.
    this.#worker = new Worker(new URL('./run-thread-worker.js', import.meta.url), { execArgv: [] });
    this.#worker.unref();
    this.#exit = new Promise((resolve) => this.#worker.on('exit', resolve));
    this.#worker.on('message', (reply: RunReply) => {
      const run = this.#pending.shift();
      if (this.#pending.length === 0) this.#worker.unref();
      if (run !== undefined) settle(run, reply);
    });
    this.#worker.on('error', () => this.#runHere());
    this.#worker.on('exit', () => this.#runHere());
  }

  /** @throws Blip2Error `ORT_FAILED` */
  run(request: Exclude<RunRequest, null>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ request, resolve, reject });
      if (this.#isLost) return this.#runHere();
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  /** Whatever ended the thread: what it was asked for is done here. */
  #runHere(): void {
    this.#isLost = true;
    for (const run of this.#pending.splice(0)) settle(run, runBinding(run.request));
  }

  /** Once what was asked for is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker.ref();
    this.#worker.postMessage(null);
    await this.#exit;
  }
}

function settle({ resolve, reject }: PendingRun, { failure }: RunReply): void {
  if (failure === null) resolve();
  else reject(new Blip2Error('ORT_FAILED', failure));
}
