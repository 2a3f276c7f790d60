/** Runs bindings for `RunThread`, one after the other; ends when it is told. */
import { parentPort } from 'node:worker_threads';
import { runBinding, type RunRequest } from './run-binding.js';

parentPort?.on('message', (request: RunRequest) => {
  if (request === null) parentPort?.close();
  else parentPort?.postMessage(runBinding(request));
});
