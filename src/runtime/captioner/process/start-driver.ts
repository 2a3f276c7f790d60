/**
 * The first that the model's process imports: the driver of the card that `ModelProcess` names starts in a thread, while this one loads
 * its libraries.
 */
import { DriverThread } from '../../device/memory/driver-thread.js';

/** Gets ready for a card that the model is likely to use. */
export function startCard(card: number): void {
  DriverThread.start(card);
  // When all modules are read, while the caller still plans.
  setImmediate(() => void readProvider());
}

async function readProvider(): Promise<void> {
  const { readCudaProvider } = await import('../../device/cuda-provider.js');
  readCudaProvider();
}

const [, , card] = process.argv;
if (card !== undefined) startCard(Number(card));
