import { CudaDriver } from '../memory/cuda-driver.js';
import { OrtSession } from '../ort/ort-session.js';
import { runBinding } from '../ort/run-binding.js';
import type { OpenRequest, ThreadReply, ThreadRequest } from './thread-requests.js';

/** Does what a `RunThread` is asked for, in whatever thread this is, which keeps the sessions. */
export class RequestsDone implements Disposable {
  readonly #sessions: OrtSession[] = [];

  async answer(request: Exclude<ThreadRequest, null>): Promise<ThreadReply> {
    try {
      if (request.kind === 'open') {
        const session = await opened(request.open);
        // ONNX Runtime records steps so that no thread may take memory meanwhile, and this one takes some for each new shape. The card's
        // context is the thread's since the session was opened; without one the driver refuses, and all stays as it was.
        if (request.open.options.cuda !== undefined)
          CudaDriver.load()?.try('cuThreadExchangeStreamCaptureMode', [OWN_CAPTURES]);
        this.#sessions.push(session);
        return { failure: null, session: session.pointer };
      }
      runBinding(request.run);
      return { failure: null, session: null };
    } catch (error) {
      return { failure: error instanceof Error ? error.message : String(error) };
    }
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions.splice(0)) session[Symbol.dispose]();
  }
}

/** `CU_STREAM_CAPTURE_MODE_THREAD_LOCAL` */
const OWN_CAPTURES = 1;

async function opened({ model, options, opsOfCard }: OpenRequest): Promise<OrtSession> {
  if (opsOfCard === null) return new OrtSession(model, options);
  // Operators run in the thread that made them.
  const { ownKernels } = await import('../cuda-provider.js');
  const own = ownKernels(opsOfCard);
  return new OrtSession(model, { ...options, ...(own === null ? {} : { ops: own.ops }) });
}
