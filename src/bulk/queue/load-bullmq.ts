import { missingPackage } from '../../missing-package.js';

/**
 * The queue's engine and its client: optional, because most runs need neither.
 * @throws Blip2Error `PACKAGE_MISSING` with the command that installs them
 */
export async function loadBullmq() {
  try {
    // The engine brings no client of its own.
    const [bullmq, ioredis] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { Queue: bullmq.Queue, Worker: bullmq.Worker, Redis: ioredis.Redis };
  } catch (error) {
    throw missingPackage(error, 'A queue', ['bullmq@6', 'ioredis@6']);
  }
}
