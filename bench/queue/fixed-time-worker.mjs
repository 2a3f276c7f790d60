import { setTimeout } from 'node:timers/promises';

/** Pictures that run together at most, and that are made ready while others run. */
const BATCH = 8;
const AHEAD = 64;

/**
 * A model on a device that takes a fixed time a picture: a batch begins as soon as there are pictures and the one before it is
 * done, whenever this process comes to look.
 */
export function fixedTimeWorker(pictureMs) {
  return {
    async *caption(pictures) {
      /** When each picture was there. */
      const readyMs = [];
      const reader = { isOver: false };
      let changed = () => undefined;
      const change = () => new Promise((resolve) => (changed = resolve));
      const reading = (async () => {
        for await (const _ of pictures) {
          readyMs.push(performance.now());
          changed();
          while (readyMs.length >= AHEAD) await setTimeout(1);
        }
        reader.isOver = true;
        changed();
      })();
      let freeMs = 0;
      while (!reader.isOver || readyMs.length > 0) {
        if (readyMs.length === 0) {
          await change();
          continue;
        }
        const batch = readyMs.slice(0, BATCH);
        freeMs = Math.max(freeMs, batch.at(-1)) + batch.length * pictureMs;
        const leftMs = freeMs - performance.now();
        if (leftMs > 0) await setTimeout(leftMs);
        readyMs.splice(0, batch.length);
        for (let picture = 0; picture < batch.length; picture++) yield OUTCOME;
      }
      await reading;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const OUTCOME = {
  status: 'captioned',
  answers: [
    {
      text: 'a small red ring above a small red circle',
      ids: [68, 297, 353, 345, 380, 262],
      finish: 'stop',
      score: null,
    },
  ],
};
