/** How many of the rows that steps run make a token that is wanted, where answers end at different lengths. */
import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { Asking } from '../../src/runtime/engine/asking.js';
import { resolveGenerationOptions } from '../../src/runtime/generation/generation-options.js';
import { readCheckpointFiles } from '../../src/runtime/engine/checkpoint-files.js';
import type { RollingSource, RollingSteps } from '../../src/runtime/generation/rolling-source.js';
import { CacheRows } from '../../src/runtime/session/gpu/language/cache-rows.js';
import { stepRows } from '../../src/runtime/session/gpu/language/step-rows.js';
import type { CaptionModel } from '../../src/runtime/session/model/caption-model.js';
import type { LanguagePrompt } from '../../src/runtime/session/model/language-prompt.js';
import { CaptionStream } from '../../src/runtime/engine/stream/caption-stream.js';
import { PictureFeed } from '../../src/runtime/engine/stream/picture-feed.js';
import { AnswerStream } from '../../src/runtime/engine/text/answer-stream.js';
import type { PreparedPicture } from '../../src/runtime/engine/stream/stream-settings.js';
import { DEMO } from '../golden/golden.js';

const checkpoint = await openCheckpoint(DEMO);
const config = parseBlip2Config(checkpoint.config);
const { preprocessor: _, tokenizers } = await readCheckpointFiles(checkpoint.folder, config);
const [EOS = 0] = config.text.eosTokenIds;
const WORD = EOS + 1;
const RECORDED = { keepsShapes: false, recordsAny: true };

/** Rows as a device has them; each picture says how long its answer is. */
class CountedRows {
  wanted = 0;
  run = 0;
  readonly #most: number;
  readonly #rows = new CacheRows();
  /** Tokens to come of each sequence. */
  #left: number[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  get source(): RollingSource<LanguagePrompt> {
    const steps: RollingSteps<LanguagePrompt, readonly number[]> = {
      admit: ({ prefix }, going) => {
        this.#rows.continueFrom(going, () => undefined);
        this.#rows.settle(() => undefined);
        const lengths = Array.from(prefix.data as Float32Array).filter((__, i) => i % PREFIX === 0);
        this.#rows.begin(lengths.map(() => 1));
        this.#left = [...going.map((parent) => this.#left[parent] ?? 0), ...lengths];
        return Promise.resolve(this.#next().slice(going.length));
      },
      advance: (__, parents) => {
        this.#rows.continueFrom(parents, () => undefined);
        this.#left = parents.map((parent) => this.#left[parent] ?? 0);
        if (stepRows(RECORDED, parents.length, this.#most) < stepRows(RECORDED, this.#rows.used, this.#most)) {
          this.#rows.settle(() => undefined);
        }
        this.run += stepRows(RECORDED, this.#rows.used, this.#most);
        this.wanted += parents.length;
        return Promise.resolve(this.#next());
      },
    };
    const logits = () => Promise.reject(new Error('nobody asked for logits'));
    return { vocabSize: config.text.vocabSize, admit: logits, advance: logits, likeliest: steps };
  }

  /** Every sequence is a token nearer to its end, those that have begun last alone where the others wait. */
  #next(): number[] {
    this.#left = this.#left.map((left) => left - 1);
    return this.#left.map((left) => (left <= 0 ? EOS : WORD));
  }
}

const PREFIX = config.numQueryTokens * config.text.hiddenSize;

describe('rows of steps', () => {
  it.each([64, 256])(
    'make a wanted token in 85 of 100, %i pictures at once, answers of 5 to 20 tokens',
    async (most) => {
      const rows = new CountedRows(most);
      const model: CaptionModel = {
        encodeImages: (pixels, [pictures = 0]) => {
          const prefix = new Float32Array(pictures * PREFIX);
          for (let row = 0; row < pictures; row++) prefix[row * PREFIX] = pixels[row] ?? 0;
          return Promise.resolve(
            new Tensor('float32', prefix, [pictures, config.numQueryTokens, config.text.hiddenSize]),
          );
        },
        tokens: () => {
          throw new Error('prompts join others');
        },
        rolling: () => rows.source,
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
      const asking = new Asking(config, tokenizers());
      const prompt = asking.prompts([null]);
      const settings = resolveGenerationOptions({ maxNewTokens: 40 }, config.text);
      async function* given() {
        for (let index = 0; index < 4096; index++) yield await Promise.resolve({ index });
      }
      const prepare = ({ index }: { readonly index: number }): Promise<PreparedPicture> =>
        Promise.resolve({ pixels: Float32Array.of(5 + ((index * 7) % 16)), text: null, prompt, settings });
      const stream = new CaptionStream<{ readonly index: number }>(
        {
          config,
          model,
          asking,
          pictureSize: { height: 1, width: 1 },
          answerStream: () => new AnswerStream(tokenizers().tokenizer),
          captionOf: (index, [sequence]) => ({
            index,
            text: String(sequence?.ids.length),
            answers: [],
            promptTokens: 0,
            timing: { pixelsMs: 0, imageMs: 0, generateMs: 0 },
          }),
        },
        { generation: { maxNewTokens: 40 }, pictures: most, encoded: 64 },
        {},
      );
      let captions = 0;
      for await (const outcomes of stream.outcomes(new PictureFeed(given(), { prepare, ahead: 128 }))) {
        captions += outcomes.length;
      }
      expect(captions).toBe(4096);
      expect(rows.wanted / rows.run).toBeGreaterThan(0.85);
    },
  );
});
