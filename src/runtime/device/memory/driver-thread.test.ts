import { expect, it } from 'vitest';
import { DriverThread } from './driver-thread.js';

// Neither the provider's library nor a card is here: the thread ends at once.
it('leaves to its caller what a thread without a card was asked for', async () => {
  DriverThread.start(0);
  const thread = DriverThread.of(0);
  expect(await thread?.lockPages({ address: 0n, bytes: 1 })).toBeUndefined();
  expect(await thread?.lockPages({ address: 0n, bytes: 1 })).toBeUndefined();
  expect(await thread?.unlockPages({ address: 0n, bytes: 1 })).toBeUndefined();
  DriverThread.end();
  expect(DriverThread.of(0)).toBeUndefined();
});
