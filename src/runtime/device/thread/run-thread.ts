/**
 * A thread that opens sessions and runs bindings, while this one goes on. It is always the same: what a provider's kernels make on their
 * first run they keep for the thread that runs them, and operators of our own are functions of the thread that opened their session.
 */
import { Worker } from 'node:worker_threads';
import { Blip2Error } from '../../../errors.js';
import { BindableSession } from '../ort/ort-session.js';
import type { BindingRunner, RunRequest } from '../ort/run-binding.js';
import { RequestsDone } from './requests-done.js';
import type { OpenRequest, ThreadReply, ThreadRequest } from './thread-requests.js';

type Answer = Extract<ThreadReply, { readonly failure: null }>;

interface PendingRequest {
  readonly request: Exclude<ThreadRequest, null>;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export class RunThread implements BindingRunner, AsyncDisposable {
  readonly #worker: Worker;
  readonly #exit: Promise<unknown>;
  /** In the order in which they were asked for. */
  readonly #pending: PendingRequest[] = [];
  /** Takes the thread's place where it was lost. */
  readonly #here = new RequestsDone();
  #last: Promise<unknown> = Promise.resolve();
  #isLost = false;

  constructor() {
    // Flags of this process, such as --input-type, may be of no use to a thread or stop it.
    this.#worker = new Worker(new URL('./run-thread-worker.js', import.meta.url), { execArgv: [] });
    this.#worker.unref();
    this.#exit = new Promise((resolve) => this.#worker.on('exit', resolve));
    this.#worker.on('message', (reply: ThreadReply) => {
      const pending = this.#pending.shift();
      if (this.#pending.length === 0) this.#worker.unref();
      if (pending !== undefined) settle(pending, reply);
    });
    this.#worker.on('error', () => this.#doHere());
    this.#worker.on('exit', () => this.#doHere());
  }

  /** @throws Blip2Error `ORT_FAILED` */
  async run(run: RunRequest): Promise<void> {
    await this.#ask({ kind: 'run', run });
  }

  /**
   * A session that ends with the thread.
   * @throws Blip2Error `ORT_FAILED`
   */
  async open(open: OpenRequest): Promise<BindableSession> {
    const { session } = await this.#ask({ kind: 'open', open });
    if (session === null) throw new Error('no session was opened');
    return new BindableSession(session);
  }

  #ask(request: Exclude<ThreadRequest, null>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ request, resolve, reject });
      if (this.#isLost) return this.#doHere();
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  /** Whatever ended the thread: what it was asked for is done here. */
  #doHere(): void {
    this.#isLost = true;
    for (const pending of this.#pending.splice(0)) {
      this.#last = this.#last.then(async () => settle(pending, await this.#here.answer(pending.request)));
    }
  }

  /** Once what was asked for is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker.ref();
    this.#worker.postMessage(null);
    await this.#exit;
    await this.#last;
    this.#here[Symbol.dispose]();
  }
}

function settle({ resolve, reject }: PendingRequest, reply: ThreadReply): void {
  if (reply.failure === null) resolve(reply);
  else reject(new Blip2Error('ORT_FAILED', reply.failure));
}
