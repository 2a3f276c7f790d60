import type { ModelPixels } from '../../image/pixel-rules.js';

/** Pixels of pictures that are encoded together, in memory that is kept: to make new takes several times as long as to fill it. */
export class JoinedPixels {
  #memory: ModelPixels = new Float32Array();

  /** One after the other, until the next are joined. */
  of(pictures: readonly ModelPixels[]): ModelPixels {
    const [first] = pictures;
    const size = first?.length ?? 0;
    const count = pictures.length * size;
    if (this.#memory.length < count || this.#memory instanceof Uint16Array !== first instanceof Uint16Array) {
      this.#memory = first instanceof Uint16Array ? new Uint16Array(count) : new Float32Array(count);
    }
    for (const [index, picture] of pictures.entries()) this.#memory.set(picture, index * size);
    return this.#memory.subarray(0, count);
  }
}
