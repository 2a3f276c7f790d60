/**
 * A model in a process of its own. ONNX Runtime's Node binding computes on the thread that calls it, and aborts where
 * several threads of one process load it; so what keeps the caller's event loop free is a process. It also keeps a crash of
 * a device's driver away from the caller. Weights are mapped, so they are not in memory twice.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Blip2Error } from '../../../errors.js';
import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import type { NumberedPicture } from '../../engine/caption-worker.js';
import type { CaptionHooks, Outcome } from '../../engine/captioner-options.js';
import type { DeviceOptions } from '../../device/device-options.js';
import { receiveError } from '../../sent-error.js';
import { forkModel, type ForkOptions } from './fork-model.js';
import { receiveOutcome, type Reply, type Request, type Work, type Works } from './messages.js';

/** What the process says and asks while it works. */
export interface WorkHooks extends CaptionHooks {
  /** The next pictures of a stream, at most so many; none where there are no more. */
  readonly onPull?: (most: number) => Promise<readonly NumberedPicture[]>;
  /** Whether the process waits until a token is taken. Default true. */
  readonly isPaced?: boolean | undefined;
  readonly onOutcomes?: (outcomes: readonly Outcome[]) => void;
}

interface PendingCall {
  readonly hooks: WorkHooks;
  readonly resolve: (answer: Works[keyof Works]['answer']) => void;
  readonly reject: (error: unknown) => void;
}

const FAILED =
  'Memory may have run out, or a driver failed. Create a new captioner; a smaller batch or budget may help.';

const SHORTENED =
  'Weights are mapped, not copied. Replace their files by renaming others over them, never by writing into them; then open the checkpoint again.';

/** SIGBUS is what reading a mapped file beyond its end, or from a disk that fails, comes to. */
function endedBy(signal: NodeJS.Signals): string {
  return signal === 'SIGBUS' ? 'signal SIGBUS: a weight file was shortened while it was in use' : `signal ${signal}`;
}

/** A signal that came to both processes may end this one, before it can tell signals, some milliseconds before the caller hears of it. */
const SIGNAL_MS = 50;

export class ModelProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, PendingCall>();
  #lastCall = 0;
  #onConvert: DeviceOptions['onConvert'];
  #ended: Blip2Error | undefined;
  #ending: NodeJS.Timeout | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (reply: Reply) => this.#receive(reply));
    child.on('error', (cause) => this.#endSoon(`it cannot be started or reached: ${cause.message}`, cause));
    child.on('exit', (code, signal) => this.#endSoon(signal === null ? `its exit code is ${code}` : endedBy(signal)));
  }

  /**
   * @param place says where the model is to run; called while the process loads its libraries
   * @throws Blip2Error `PROCESS_ENDED`; what `place` and starting the model throw
   */
  static async start(
    checkpoint: Checkpoint,
    place: () => Promise<DeviceOptions>,
    options: ForkOptions = {},
  ): Promise<ModelProcess> {
    const { signal } = options;
    signal?.throwIfAborted();
    const child = forkModel(options);
    const model = new ModelProcess(child);
    const abort = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', abort);
    try {
      const { signal: _, onConvert, ...placed } = await place();
      model.#onConvert = onConvert;
      await model.#call(++model.#lastCall, { kind: 'start', checkpoint, options: placed });
      return model;
    } catch (error) {
      await model[Symbol.asyncDispose]();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** @throws what the work throws there; Blip2Error `PROCESS_ENDED`; the signal's reason when aborted */
  async perform<Kind extends keyof Works>(
    work: { readonly kind: Kind } & Works[Kind]['given'] & Work,
    hooks: WorkHooks = {},
  ): Promise<Works[Kind]['answer']> {
    const { signal } = hooks;
    signal?.throwIfAborted();
    const call = ++this.#lastCall;
    const abort = () => {
      this.#send({ kind: 'abort', call });
      this.#take(call)?.reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort);
    try {
      return await this.#call(call, work, hooks);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** The process answers each kind of work with its own kind of answer. */
  #call<Answer>(call: number, work: Work, hooks: WorkHooks = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#pending.set(call, { hooks, resolve: (answer) => resolve(answer as Answer), reject });
      this.#keepAlive();
      try {
        this.#send({ kind: 'work', call, work });
      } catch (error) {
        // What cannot be sent has no answer to wait for.
        this.#take(call)?.reject(error);
      }
    });
  }

  #receive(reply: Reply): void {
    switch (reply.kind) {
      case 'converted':
        return this.#passProgress(reply);
      case 'token':
        return void this.#passToken(reply);
      case 'pull':
        return void this.#passPictures(reply);
      case 'outcomes':
        return this.#pending.get(reply.call)?.hooks.onOutcomes?.(reply.outcomes.map(receiveOutcome));
      case 'done':
        return this.#take(reply.call)?.resolve(reply.answer);
      case 'failed':
        return this.#take(reply.call)?.reject(receiveError(reply.error));
    }
  }

  #passProgress({ writtenBytes, totalBytes }: Extract<Reply, { kind: 'converted' }>): void {
    try {
      this.#onConvert?.(writtenBytes, totalBytes);
    } catch (error) {
      for (const call of this.#pending.keys()) this.#take(call)?.reject(error);
    }
  }

  async #passToken({ call, token }: Extract<Reply, { kind: 'token' }>): Promise<void> {
    try {
      const hooks = this.#pending.get(call)?.hooks;
      await hooks?.onToken?.(token);
      if (hooks?.isPaced !== false) this.#send({ kind: 'token-taken', call });
    } catch (error) {
      // What the caller's own function throws is the call's result; the model stops and its answer finds nobody.
      this.#take(call)?.reject(error);
      this.#send({ kind: 'abort', call });
    }
  }

  async #passPictures({ call, most }: Extract<Reply, { kind: 'pull' }>): Promise<void> {
    try {
      const pictures = (await this.#pending.get(call)?.hooks.onPull?.(most)) ?? [];
      const drop = (index: number) => this.#send({ kind: 'drop', call, index });
      const sent = pictures.map(({ signal, ...picture }) => {
        signal?.addEventListener('abort', () => drop(picture.index), { once: true });
        return picture;
      });
      this.#send({ kind: 'pictures', call, pictures: sent });
      for (const { index, signal } of pictures) if (signal?.aborted === true) drop(index);
    } catch (error) {
      this.#take(call)?.reject(error);
      this.#send({ kind: 'abort', call });
    }
  }

  #take(call: number): PendingCall | undefined {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    this.#keepAlive();
    return pending;
  }

  /** An idle captioner does not keep the caller's process from ending. */
  #keepAlive(): void {
    const { channel } = this.#child;
    if (this.#pending.size > 0) {
      this.#child.ref();
      channel?.ref();
      this.#ending?.ref();
    } else {
      this.#child.unref();
      channel?.unref();
      this.#ending?.unref();
    }
  }

  #send(request: Request): void {
    if (this.#child.connected) this.#child.send(request);
  }

  /** Of a signal that came to both, the caller hears first what it meant. */
  #endSoon(reason: string, cause?: Error): void {
    this.#ending ??= setTimeout(() => this.#end(reason, cause), SIGNAL_MS);
    this.#keepAlive();
  }

  #end(reason: string, cause?: Error): void {
    this.#ended ??= new Blip2Error('PROCESS_ENDED', `the process that holds the model has ended: ${reason}`, {
      hint: this.#child.signalCode === 'SIGBUS' ? SHORTENED : FAILED,
      ...(cause === undefined ? {} : { cause }),
    });
    for (const call of this.#pending.keys()) this.#take(call)?.reject(this.#ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.ref();
    if (child.connected) child.disconnect();
    else child.kill('SIGKILL');
    await exit;
  }
}
