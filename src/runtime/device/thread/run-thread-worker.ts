/** Does what a `RunThread` is asked for, one after the other; ends when it is told. */
import { parentPort } from 'node:worker_threads';
import { RequestsDone } from './requests-done.js';
import type { ThreadRequest } from './thread-requests.js';

const done = new RequestsDone();
let last: Promise<unknown> = Promise.resolve();

parentPort?.on('message', (request: ThreadRequest) => {
  last = last.then(async () => {
    if (request !== null) return parentPort?.postMessage(await done.answer(request));
    done[Symbol.dispose]();
    parentPort?.close();
  });
});
