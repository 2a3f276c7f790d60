/** Does what a `DriverThread` is asked for, one after the other; ends when it is told, and at once where there is no card for it. */
import { parentPort, workerData } from 'node:worker_threads';
import { CudaDriver } from './cuda-driver.js';
import type { HostRange } from './device-memory.js';
import { hasCudaLibrary } from '../ort/cuda-library.js';
import type { PagesReply } from './driver-thread.js';

const driver = hasCudaLibrary() ? CudaDriver.load() : null;
if (driver !== null) {
  // The process's own: the driver keeps one for each card, and it stays.
  driver.call('cuCtxSetCurrent', driver.create('cuDevicePrimaryCtxRetain', Number(workerData)));
  parentPort?.on('message', (range: HostRange | null) => {
    if (range === null) return parentPort?.close();
    parentPort?.postMessage(driver.lockPages(range) satisfies PagesReply);
  });
}
