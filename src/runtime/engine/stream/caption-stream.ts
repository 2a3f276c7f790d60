/**
 * Many pictures through one model: made ready ahead of the device, encoded some at a time, and decoded as many at once as
 * there is room for. Where the model can, a picture's rows are taken by the next one as soon as its caption ends.
 */
import { setImmediate } from 'node:timers/promises';
import type { Tensor } from 'onnxruntime-node';
import type { CaptionHooks, Outcome } from '../captioner-options.js';
import { generate } from '../../generation/generate.js';
import {
  resolveGenerationOptions,
  sequencesAtOnce,
  type GenerationSettings,
} from '../../generation/generation-options.js';
import { rollingOnce, type RollingSource } from '../../generation/rolling-source.js';
import type { LanguagePrompt } from '../../session/model/language-prompt.js';
import { JoinedPixels } from './joined-pixels.js';
import { notFiniteOutcome } from './not-finite-outcome.js';
import { OpenPictures } from './open-pictures.js';
import { batchTensor, rowsOf } from './picture-rows.js';
import type { PictureFeed, Ready } from './picture-feed.js';
import { evenCount, joinedPrompts, joining, promptsTogether, promptTokens } from './prompts-together.js';
import { streamOf, type Numbered } from './numbered-picture.js';
import { type CaptionStreamParts, type Encoded, type PreparedPicture, type StreamSettings } from './stream-settings.js';

type Feed<Given> = Pick<PictureFeed<Given, PreparedPicture>, 'take'>;

export class CaptionStream<Given extends Numbered> {
  readonly #parts: CaptionStreamParts;
  readonly #settings: StreamSettings;
  readonly #generation: GenerationSettings;
  readonly #hooks: CaptionHooks;
  #waiting: Encoded<Given>[] = [];
  /** Of batches that nobody encodes. */
  readonly #joined: JoinedPixels[] = [];
  readonly #failures: Outcome[] = [];
  /** Batches that are being encoded, in their order. */
  readonly #encodings: Promise<void>[] = [];
  #failure: { readonly error: unknown } | null = null;
  #ended = false;

  constructor(parts: CaptionStreamParts, settings: StreamSettings, hooks: CaptionHooks) {
    this.#parts = parts;
    this.#settings = settings;
    this.#generation = resolveGenerationOptions(settings.generation, parts.config.text);
    this.#hooks = hooks;
  }

  /** Outcomes as they come, each picture once, in no order. */
  async *outcomes(feed: Feed<Given>): AsyncGenerator<Outcome[], void, undefined> {
    const { strategy, maxNewTokens } = this.#generation;
    const rows = this.#settings.pictures * sequencesAtOnce(strategy);
    const { promptTokens: longest } = this.#settings;
    const room = { rows, newTokens: maxNewTokens, ...(longest !== undefined && { promptTokens: longest }) };
    this.#parts.model.reserve?.(room);
    const rolling = strategy.kind === 'beam' ? null : (this.#parts.model.rolling?.(room) ?? null);
    yield* rolling === null ? this.#inBatches(feed) : this.#rolling(feed, rolling);
  }

  async *#inBatches(feed: Feed<Given>): AsyncGenerator<Outcome[], void, undefined> {
    const { pictures } = this.#settings;
    for (;;) {
      const taken = await feed.take(pictures, this.#isEager ? 1 : pictures, true);
      if (taken === null) return;
      const failures = [...(await this.#encode(taken)), ...this.#dropped()];
      if (failures.length > 0) yield failures;
      const batch = this.#waiting.splice(0);
      if (batch.length === 0) continue;
      if (this.#generation.strategy.kind === 'beam') yield await this.#searchTogether(batch);
      else yield* this.#growTogether(batch);
    }
  }

  async *#rolling(
    feed: Feed<Given>,
    source: RollingSource<LanguagePrompt>,
  ): AsyncGenerator<Outcome[], void, undefined> {
    const open = new OpenPictures<Given, LanguagePrompt>(source, this.#parts, this.#hooks);
    for (;;) {
      const outcomes = await this.#fetch(feed, open.count === 0);
      outcomes.push(...this.#dropped());
      const group = this.#group(open.count);
      if (group.length > 0) {
        const { contextIds, ...prompts } = joinedPrompts(
          group.map(({ made }) => made.prompt),
          this.#parts.config.text.padTokenId,
        );
        const prompt = { prefix: this.#prefixOf(group), ...prompts };
        outcomes.push(...(await open.admit(group, { contextIds }, prompt)));
      } else if (open.count > 0) {
        outcomes.push(...(await open.step()));
      } else if (this.#ended && this.#encodings.length === 0 && this.#waiting.length === 0) {
        outcomes.push(...this.#failures.splice(0));
        if (outcomes.length > 0) yield outcomes;
        return;
      }
      if (outcomes.length > 0) yield outcomes;
    }
  }

  /** Has what is ready encoded, where those that wait are too few for what will be free next. Returns failures. */
  async #fetch(feed: Feed<Given>, isIdle: boolean): Promise<Outcome[]> {
    const { encoded, pictures } = this.#settings;
    await setImmediate();
    const isAlone = this.#parts.model.encodesAlone === true;
    const wanted = this.#isEager ? 1 : isAlone ? pictures : this.#together;
    const isStarving = isIdle && this.#waiting.length < wanted;
    const most = this.#isEager ? 1 : Math.max(1, this.#parts.model.encodingsBeside ?? 0);
    const mayEncode = () => (isAlone ? isStarving : this.#waiting.length < Math.max(encoded, this.#together));
    while (!this.#ended && this.#encodings.length < most && mayEncode()) {
      // Always as many: each number would be a shape of its own, with memory and kernels to be made for it.
      const waits = isStarving && this.#encodings.length === 0;
      const taken = await feed.take(encoded, this.#isEager ? 1 : encoded, waits);
      if (taken === null) this.#ended = true;
      if (taken === null || taken.length === 0) break;
      const encoding = this.#encode(taken)
        .then((outcomes) => void this.#failures.push(...outcomes))
        .catch((error: unknown) => void (this.#failure = { error }))
        .finally(() => void this.#encodings.splice(this.#encodings.indexOf(encoding), 1));
      this.#encodings.push(encoding);
      if (!isAlone) continue;
      // Such models encode in this thread, and are done already.
      await encoding;
      // Once captions are open there will be no more until all have ended. A source that is slow is not waited for.
      const isShort = taken.length < encoded || this.#failure !== null;
      if (!this.#isEager && !isShort && this.#waiting.length < pictures) return this.#fetch(feed, isIdle);
      break;
    }
    if (isStarving) await this.#encodings[0];
    if (this.#failure !== null) throw this.#failure.error;
    return this.#failures.splice(0);
  }

  get #isEager(): boolean {
    return this.#settings.eager === true;
  }

  get #together(): number {
    return promptsTogether(this.#settings.pictures, this.#parts.model.streamsText === true);
  }

  /** Those that begin now: as many as run together as long as there are more to come, and none before there is place for them. */
  #group(openPictures: number): readonly Encoded<Given>[] {
    const free = this.#settings.pictures - openPictures;
    const alike = joining(this.#waiting, this.#parts.config.text);
    if (this.#isEager) return this.#begun(alike.slice(0, evenCount(Math.min(free, alike.length, this.#together))));
    const isEncoding = this.#encodings.length > 0;
    const isLast = !isEncoding && (openPictures === 0 || this.#ended);
    const wanted = isLast ? Math.min(this.#together, this.#waiting.length) : this.#together;
    if (wanted === 0 || free < wanted || this.#waiting.length < wanted) return [];
    return this.#begun(alike.slice(0, wanted));
  }

  #begun(group: readonly Encoded<Given>[]): readonly Encoded<Given>[] {
    const begun = new Set(group);
    this.#waiting = this.#waiting.filter((picture) => !begun.has(picture));
    return group;
  }

  /** Those that wait and are not wanted any more. */
  #dropped(): Outcome[] {
    const dropped = this.#waiting.filter(({ given }) => given.signal?.aborted === true);
    if (dropped.length === 0) return [];
    this.#waiting = this.#waiting.filter((picture) => !dropped.includes(picture));
    return dropped.map(({ given: { index, signal } }) => ({ status: 'failed', index, error: signal?.reason }));
  }

  /** Puts them among those that wait; returns the failures. */
  async #encode(taken: readonly Ready<Given, PreparedPicture>[]): Promise<Outcome[]> {
    // All may have failed by it, and a source without an end would go on failing.
    this.#hooks.signal?.throwIfAborted();
    const { height, width } = this.#parts.pictureSize;
    const outcomes: Outcome[] = [];
    const ready = taken.filter((picture) => picture.status === 'ready');
    for (const picture of taken) {
      if (picture.status === 'failed') {
        outcomes.push({ status: 'failed', index: picture.given.index, error: picture.error });
      }
    }
    const joined = this.#joined.pop() ?? new JoinedPixels();
    while (ready.length > 0) {
      const most = Math.min(ready.length, this.#settings.encoded);
      const batch = ready.splice(0, this.#isEager ? evenCount(most) : most);
      this.#hooks.signal?.throwIfAborted();
      const began = performance.now();
      const pixels = joined.of(batch.map(({ made }) => made.pixels));
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
    this.#joined.push(joined);
    return outcomes;
  }

  /** All begin together; each is answered as soon as it ends. */
  async *#growTogether(batch: readonly Encoded<Given>[]): AsyncGenerator<Outcome[], void, undefined> {
    const { contextIds, source } = this.#begin(batch);
    const open = new OpenPictures<Given, null>(rollingOnce(source), this.#parts, this.#hooks);
    let outcomes = await open.admit(batch, { contextIds }, null);
    for (;;) {
      if (outcomes.length > 0) yield outcomes;
      if (open.count === 0) return;
      outcomes = await open.step();
    }
  }

  /** Beams of all, which end together. */
  async #searchTogether(batch: readonly Encoded<Given>[]): Promise<Outcome[]> {
    const began = performance.now();
    const { contextIds, source, textTokens } = this.#begin(batch);
    const options = this.#parts.asking.withinPositions(this.#settings.generation, textTokens);
    const { eosTokenIds } = this.#generation;
    const request = { contextIds, eosTokenIds, randomStreams: batch.map(({ given }) => streamOf(given)) };
    const { signal } = this.#hooks;
    const failures = new Map<number, Outcome>();
    const sequences = await generate(source, request, options, {
      ...(signal && { signal }),
      onNotFinite: (row, where) => {
        const { given, rows } = batch[row] ?? {};
        failures.set(row, notFiniteOutcome(given?.index ?? row, where, rows));
      },
    });
    const generateMs = performance.now() - began;
    return batch.map(({ given, made, preparedMs, imageMs }, row) => {
      const failure = failures.get(row);
      if (failure !== undefined) return failure;
      const course = {
        promptTokens: promptTokens(made, this.#parts.config),
        timing: { pixelsMs: preparedMs, imageMs, generateMs },
      };
      return { status: 'captioned', caption: this.#parts.captionOf(given.index, sequences[row] ?? [], course) };
    });
  }

  #begin(batch: readonly Encoded<Given>[]) {
    const { contextIds, ...prompts } = this.#parts.asking.prompts(batch.map(({ made }) => made.text));
    const { strategy, maxNewTokens } = this.#generation;
    const room = { rows: batch.length * sequencesAtOnce(strategy), newTokens: maxNewTokens };
    const source = this.#parts.model.tokens({ prefix: this.#prefixOf(batch), ...prompts, room });
    return { contextIds, source, textTokens: prompts.textIds[0]?.length ?? 0 };
  }

  #prefixOf(pictures: readonly Encoded<Given>[]): Tensor {
    const { numQueryTokens, text } = this.#parts.config;
    return batchTensor(
      pictures.map(({ rows }) => rows),
      [numQueryTokens, text.hiddenSize],
    );
  }
}
