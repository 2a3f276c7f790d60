/** Does what a `DriverThread` is asked for, one after the other; ends when it is told, and at once where there is no card for it. */
import { parentPort, workerData } from 'node:worker_threads';
import { CudaDriver } from './cuda-driver.js';
import { hasCudaLibrary } from '../ort/cuda-library.js';
import type { PagesReply, PagesRequest } from './driver-thread.js';

const driver = hasCudaLibrary() ? CudaDriver.load() : null;
if (driver !== null) {
  const card = Number(workerData);
  // The process's own: the driver keeps one for each card, for as long as somebody holds it.
  driver.call('cuCtxSetCurrent', driver.create('cuDevicePrimaryCtxRetain', card));
  const did = ({ range, locks }: NonNullable<PagesRequest>): PagesReply =>
    locks ? driver.lockPages(range) : driver.try('cuMemHostUnregister', range.address) === 0;
  parentPort?.on('message', (request: PagesRequest) => {
    if (request !== null) return parentPort?.postMessage(did(request));
    // Where the model went elsewhere, the card's memory is free again.
    driver.call('cuDevicePrimaryCtxRelease_v2', card);
    parentPort?.close();
  });
}
