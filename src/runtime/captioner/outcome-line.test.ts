import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { OutcomeLine } from './outcome-line.js';

it('lets go of its pictures when it is closed, also where it waits for place', async () => {
  const line = new OutcomeLine(1);
  let isLetGo = false;
  function* pictures() {
    try {
      for (;;) yield new Uint8Array(1);
    } finally {
      isLetGo = true;
    }
  }
  const admitted = line.admitted(pictures(), {}, {});
  expect((await admitted.next()).value?.index).toBe(0);
  const waiting = admitted.next();
  await setImmediate();
  expect(isLetGo).toBe(false);
  line.close();
  expect((await waiting).done).toBe(true);
  expect(isLetGo).toBe(true);
});
