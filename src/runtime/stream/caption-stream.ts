/**
 * Many pictures through one model: made ready ahead of the device, encoded some at a time, and decoded as many at once as
 * there is room for. Where the model can, a picture's rows are taken by the next one as soon as its caption ends.
 */
import { setImmediate } from 'node:timers/promises';
import type { Tensor } from 'onnxruntime-node';
import type { Outcome } from '../captioner-options.js';
import { generate } from '../generation/generate.js';
import {
  resolveGenerationOptions,
  sequencesAtOnce,
  type GenerationSettings,
} from '../generation/generation-options.js';
import type { GenerationHooks } from '../generation/generation-request.js';
import type { NotFinite } from '../generation/not-finite.js';
import { OpenSequences, type FinishedPicture, type StepSettings } from '../generation/open-sequences.js';
import type { RollingSource } from '../generation/rolling-source.js';
import type { LanguagePrompt } from '../session/language-prompt.js';
import { JoinedPixels } from './joined-pixels.js';
import { notFiniteOutcome } from './not-finite-outcome.js';
import { batchTensor, rowsOf } from './picture-rows.js';
import type { PictureFeed, Ready } from './picture-feed.js';
import { joinedPrompts, lengthOf, promptsTogether } from './prompts-together.js';
import {
  streamOf,
  type CaptionStreamParts,
  type Encoded,
  type Numbered,
  type PreparedPicture,
  type StreamSettings,
} from './stream-settings.js';

export class CaptionStream<Given extends Numbered> {
  readonly #parts: CaptionStreamParts;
  readonly #settings: StreamSettings;
  readonly #generation: GenerationSettings;
  readonly #hooks: GenerationHooks;
  readonly #waiting: Encoded<Given>[] = [];
  readonly #joined = new JoinedPixels();
  readonly #failures: Outcome[] = [];
  #encoding: Promise<unknown> | null = null;
  #failure: { readonly error: unknown } | null = null;
  #ended = false;

  constructor(parts: CaptionStreamParts, settings: StreamSettings, hooks: GenerationHooks) {
    this.#parts = parts;
    this.#settings = settings;
    this.#generation = resolveGenerationOptions(settings.generation, parts.config.text.eosTokenIds);
    this.#hooks = hooks;
  }

  /** Outcomes as they come, each picture once, in no order. */
  async *outcomes(feed: PictureFeed<Given, PreparedPicture>): AsyncGenerator<Outcome[], void, undefined> {
    const { strategy, maxNewTokens } = this.#generation;
    const room = { rows: this.#settings.pictures * sequencesAtOnce(strategy), newTokens: maxNewTokens };
    const rolling = strategy.kind === 'beam' ? null : (this.#parts.model.rolling?.(room) ?? null);
    yield* rolling === null
      ? this.#inBatches(feed)
      : this.#rolling(feed, rolling, { ...this.#generation, strategy } as StepSettings);
  }

  async *#inBatches(feed: PictureFeed<Given, PreparedPicture>): AsyncGenerator<Outcome[], void, undefined> {
    const { pictures } = this.#settings;
    for (;;) {
      const taken = await feed.take(pictures, pictures, true);
      if (taken === null) return;
      const outcomes = await this.#encode(taken);
      const batch = this.#waiting.splice(0);
      if (batch.length > 0) outcomes.push(...(await this.#captionTogether(batch)));
      yield outcomes;
    }
  }

  async *#rolling(
    feed: PictureFeed<Given, PreparedPicture>,
    source: RollingSource<LanguagePrompt>,
    settings: StepSettings,
  ): AsyncGenerator<Outcome[], void, undefined> {
    const admitted = new Map<number, { readonly picture: Encoded<Given>; readonly beganMs: number }>();
    const onNotFinite = (index: number, where: NotFinite): void => {
      this.#failures.push(notFiniteOutcome(index, where, admitted.get(index)?.picture.rows));
      admitted.delete(index);
    };
    const open = new OpenSequences(source, settings, { ...this.#hooks, onNotFinite });
    const ended = (finished: readonly FinishedPicture[]): Outcome[] =>
      finished.map(({ picture, sequences }) => {
        const begun = admitted.get(picture);
        if (begun === undefined) throw new Error(`picture ${picture} has not begun`);
        admitted.delete(picture);
        const { preparedMs, imageMs } = begun.picture;
        const timing = { pixelsMs: preparedMs, imageMs, generateMs: performance.now() - begun.beganMs };
        return { status: 'captioned', caption: this.#parts.captionOf(picture, sequences, timing) };
      });
    for (;;) {
      const outcomes = await this.#fetch(feed, admitted.size === 0);
      const group = this.#group(admitted.size);
      const [first] = group;
      if (first !== undefined) {
        const beganMs = performance.now();
        for (const picture of group) admitted.set(picture.given.index, { picture, beganMs });
        const { contextIds, ...prompts } = joinedPrompts(group.map(({ made }) => made.prompt));
        const pictures = group.map(({ given }) => given.index);
        const randomStreams = group.map(({ given }) => streamOf(given));
        const { maxNewTokens } = this.#within(first.made);
        const prompt = { prefix: this.#prefixOf(group), ...prompts };
        outcomes.push(...ended(await open.admit({ prompt, pictures, contextIds, randomStreams, maxNewTokens })));
      } else if (open.count > 0) {
        outcomes.push(...ended(await open.step()));
      } else if (this.#ended && this.#encoding === null && this.#waiting.length === 0) {
        outcomes.push(...this.#failures.splice(0));
        if (outcomes.length > 0) yield outcomes;
        return;
      }
      if (outcomes.length > 0) yield outcomes;
    }
  }

  /** Has what is ready encoded, where those that wait are too few for what will be free next. Returns failures. */
  async #fetch(feed: PictureFeed<Given, PreparedPicture>, isIdle: boolean): Promise<Outcome[]> {
    const { encoded } = this.#settings;
    await setImmediate();
    const isStarving = isIdle && this.#waiting.length < this.#together;
    if (this.#encoding !== null) {
      if (isStarving) await this.#encoding;
    } else if (!this.#ended && this.#waiting.length < Math.max(encoded, this.#together)) {
      // Always as many: each number would be a shape of its own, with memory and kernels to be made for it.
      const taken = await feed.take(encoded, encoded, isStarving);
      if (taken === null) this.#ended = true;
      else if (taken.length > 0) {
        this.#encoding = this.#encode(taken)
          .then((outcomes) => void this.#failures.push(...outcomes))
          .catch((error: unknown) => (this.#failure = { error }))
          .finally(() => (this.#encoding = null));
        // Models that encode in this thread are done already.
        if (isStarving) await this.#encoding;
      }
    }
    if (this.#failure !== null) throw this.#failure.error;
    return this.#failures.splice(0);
  }

  get #together(): number {
    return promptsTogether(this.#settings.pictures, this.#parts.model.streamsText === true);
  }

  /** Those that begin now: as many as run together as long as there are more to come, and none before there is place for them. */
  #group(openPictures: number): Encoded<Given>[] {
    const free = this.#settings.pictures - openPictures;
    const isStuck = openPictures === 0 && this.#encoding === null;
    const isLast = isStuck || (this.#ended && this.#encoding === null);
    const wanted = isLast ? Math.min(this.#together, this.#waiting.length) : this.#together;
    if (wanted === 0 || free < wanted || this.#waiting.length < wanted) return [];
    const length = lengthOf(this.#waiting[0]);
    const other = this.#waiting.findIndex((picture) => lengthOf(picture) !== length);
    return this.#waiting.splice(0, other === -1 ? wanted : Math.min(wanted, other));
  }

  /** Puts them among those that wait; returns the failures. */
  async #encode(taken: readonly Ready<Given, PreparedPicture>[]): Promise<Outcome[]> {
    const { height, width } = this.#parts.pictureSize;
    const outcomes: Outcome[] = [];
    const ready = taken.filter((picture) => picture.status === 'ready');
    for (const picture of taken) {
      if (picture.status === 'failed') {
        outcomes.push({ status: 'failed', index: picture.given.index, error: picture.error });
      }
    }
    for (let from = 0; from < ready.length; from += this.#settings.encoded) {
      const batch = ready.slice(from, from + this.#settings.encoded);
      this.#hooks.signal?.throwIfAborted();
      const began = performance.now();
      const pixels = this.#joined.of(batch.map(({ made }) => made.pixels));
      const words = this.#parts.asking.words(batch.map(({ made }) => made.text));
      const prefix = await this.#parts.model.encodeImages(pixels, [batch.length, 3, height, width], words);
      const imageMs = performance.now() - began;
      const rows = rowsOf(prefix, batch.length);
      for (const [index, { given, made, preparedMs }] of batch.entries()) {
        const own = rows[index];
        if (own === undefined) throw new Error('a picture without rows');
        this.#waiting.push({ given, made, rows: own, preparedMs, imageMs });
      }
    }
    return outcomes;
  }

  async #captionTogether(batch: readonly Encoded<Given>[]): Promise<Outcome[]> {
    const began = performance.now();
    const { asking, model, captionOf } = this.#parts;
    const { contextIds, ...prompts } = asking.prompts(batch.map(({ made }) => made.text));
    const options = asking.withinPositions(this.#settings.generation, prompts.textIds[0]?.length ?? 0);
    const { strategy, maxNewTokens, eosTokenIds } = this.#generation;
    const room = { rows: batch.length * sequencesAtOnce(strategy), newTokens: maxNewTokens };
    const request = { contextIds, eosTokenIds, randomStreams: batch.map(({ given }) => streamOf(given)) };
    const source = model.tokens({ prefix: this.#prefixOf(batch), ...prompts, room });
    const { signal, onToken } = this.#hooks;
    const failures = new Map<number, Outcome>();
    const sequences = await generate(source, request, options, {
      ...(signal && { signal }),
      onNotFinite: (row, where) => {
        const { given, rows } = batch[row] ?? {};
        failures.set(row, notFiniteOutcome(given?.index ?? row, where, rows));
      },
      ...(onToken && {
        onToken: (token) => onToken({ ...token, picture: batch[token.picture]?.given.index ?? token.picture }),
      }),
    });
    const generateMs = performance.now() - began;
    return batch.map(({ given, preparedMs, imageMs }, row) => {
      const failure = failures.get(row);
      if (failure !== undefined) return failure;
      const timing = { pixelsMs: preparedMs, imageMs, generateMs };
      return { status: 'captioned', caption: captionOf(given.index, sequences[row] ?? [], timing) };
    });
  }

  #prefixOf(pictures: readonly Encoded<Given>[]): Tensor {
    const { numQueryTokens, text } = this.#parts.config;
    return batchTensor(
      pictures.map(({ rows }) => rows),
      [numQueryTokens, text.hiddenSize],
    );
  }

  #within({ prompt }: PreparedPicture): GenerationSettings {
    const options = this.#parts.asking.withinPositions(this.#settings.generation, prompt.textIds[0]?.length ?? 0);
    return resolveGenerationOptions(options, this.#parts.config.text.eosTokenIds);
  }
}
