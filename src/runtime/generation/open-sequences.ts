/**
 * Sequences that grow by one token a step, each on its own: greedy search and sampling. What a picture is answered depends
 * on nothing but the picture: not on those beside it, nor on when it began.
 */
import type { GeneratedSequence, GenerationHooks, GenerationRequest } from './generation-request.js';
import { sequencesAtOnce, type GenerationSettings, type Strategy } from './generation-options.js';
import { applyLogitsRules, keepsLogits } from './logits-rules.js';
import { areFinite, NOT_FINITE, notFiniteError } from './not-finite.js';
import { randomStream } from './random-stream.js';
import type { RollingSource, RollingSteps } from './rolling-source.js';
import { applySamplingFilters } from './sampling-filters.js';
import { argmax, softmax } from './softmax.js';

export type StepStrategy = Exclude<Strategy, { kind: 'beam' }>;
export type StepSettings = GenerationSettings & { readonly strategy: StepStrategy };

/** Pictures whose prompts run together. */
export interface AdmittedPrompts<Prompt> extends Pick<GenerationRequest, 'contextIds' | 'randomStreams'> {
  readonly prompt: Prompt;
  /** The number of each picture, by which the caller knows it. */
  readonly pictures: readonly number[];
  /** Of each picture. */
  readonly settings: readonly StepSettings[];
}

export interface FinishedPicture {
  readonly picture: number;
  readonly sequences: readonly GeneratedSequence[];
}

interface OpenSequence {
  readonly picture: number;
  readonly sequence: number;
  /** Context and new ids. */
  readonly ids: number[];
  readonly contextLength: number;
  readonly settings: StepSettings;
  readonly choose: (scores: Float32Array) => number;
  /** Which of the source's sequences this one continues. */
  row: number;
}

interface OpenPicture {
  readonly sequences: GeneratedSequence[];
  openCount: number;
}

export class OpenSequences<Prompt> {
  readonly #source: RollingSource<Prompt>;
  readonly #hooks: GenerationHooks;
  readonly #pictures = new Map<number, OpenPicture>();
  #open: OpenSequence[] = [];

  constructor(source: RollingSource<Prompt>, hooks: GenerationHooks) {
    this.#source = source;
    this.#hooks = hooks;
  }

  /** Sequences that go on. */
  get count(): number {
    return this.#open.length;
  }

  /** Runs prompts and chooses their first tokens. Returns the pictures that end with it. */
  async admit({
    prompt,
    pictures,
    contextIds,
    randomStreams,
    settings,
  }: AdmittedPrompts<Prompt>): Promise<FinishedPicture[]> {
    this.#hooks.signal?.throwIfAborted();
    const begun = settings.flatMap((own, index) => {
      const picture = pictures[index] ?? index;
      const context = contextIds[index] ?? [];
      const perPicture = sequencesAtOnce(own.strategy);
      const stream = (randomStreams?.[index] ?? picture) * perPicture;
      this.#pictures.set(picture, { sequences: [], openCount: perPicture });
      return Array.from({ length: perPicture }, (_, sequence) => ({
        picture,
        sequence,
        ids: [...context],
        contextLength: context.length,
        settings: own,
        choose: chooser(own.strategy, stream + sequence),
        row: index,
      }));
    });
    const going = this.#open;
    const rows = going.map(({ row }) => row);
    const next = await this.#nextIds(begun, (steps) => steps.admit(prompt, rows));
    going.forEach((sequence, row) => (sequence.row = row));
    for (const sequence of begun) sequence.row += going.length;
    return this.#grow(begun, next, going);
  }

  /** Ends a picture without an answer: the next step goes on without it. */
  drop(picture: number): void {
    this.#pictures.delete(picture);
    this.#open = this.#open.filter((sequence) => sequence.picture !== picture);
  }

  /** One token more for all that are open. Returns the pictures that end with it. */
  async step(): Promise<FinishedPicture[]> {
    this.#hooks.signal?.throwIfAborted();
    const open = this.#open;
    const newest = open.map(({ ids }) => ids.at(-1) ?? -1);
    const parents = open.map(({ row }) => row);
    open.forEach((sequence, row) => (sequence.row = row));
    const next = await this.#nextIds(open, (steps) => steps.advance(newest, parents));
    return this.#grow(open, next, []);
  }

  async #grow(continued: readonly OpenSequence[], next: readonly number[], others: readonly OpenSequence[]) {
    const grown = this.#withIds(continued, next);
    const { onToken } = this.#hooks;
    if (onToken) {
      for (const { picture, sequence, ids } of grown) await onToken({ picture, sequence, id: ids.at(-1) ?? -1 });
    }
    this.#open = [...others];
    const finished: FinishedPicture[] = [];
    for (const sequence of grown) {
      const ended = this.#ended(sequence);
      if (ended === null) this.#open.push(sequence);
      else finished.push(...ended);
    }
    return finished;
  }

  /** Those of pictures that go on, each with its next id. A picture ends with the first of its sequences that cannot. */
  #withIds(sequences: readonly OpenSequence[], next: readonly number[]): readonly OpenSequence[] {
    sequences.forEach(({ ids }, index) => ids.push(next[index] ?? NOT_FINITE));
    const stopped = sequences.filter(({ ids }) => ids.at(-1) === NOT_FINITE);
    if (stopped.length === 0) return sequences;
    this.#source.clear?.(stopped.map(({ row }) => row));
    for (const { picture, ids, contextLength } of stopped) {
      const where = { newTokens: ids.length - 1 - contextLength };
      if (this.#hooks.onNotFinite === undefined) throw notFiniteError(where);
      if (this.#pictures.delete(picture)) this.#hooks.onNotFinite(picture, where);
    }
    return sequences.filter(({ picture }) => this.#pictures.has(picture));
  }

  /** null where the sequence goes on; its picture where that is the last of it. */
  #ended({ picture, sequence, ids, contextLength, settings }: OpenSequence): FinishedPicture[] | null {
    const { eosTokenIds, maxNewTokens } = settings;
    const id = ids.at(-1) ?? -1;
    const stopped = eosTokenIds.includes(id) || this.#hooks.endsAt?.({ picture, sequence, id }) === true;
    if (!stopped && ids.length - contextLength < maxNewTokens) return null;
    const open = this.#pictures.get(picture);
    if (open === undefined) throw new Error(`picture ${picture} is not open`);
    open.sequences[sequence] = { ids: ids.slice(contextLength), finish: stopped ? 'stop' : 'length', score: null };
    open.openCount -= 1;
    if (open.openCount > 0) return [];
    this.#pictures.delete(picture);
    return [{ picture, sequences: open.sequences }];
  }

  /** One step of the model, and what each of these sequences makes of it: an id, or `NOT_FINITE`. */
  async #nextIds(
    sequences: readonly OpenSequence[],
    step: <Result>(steps: RollingSteps<Prompt, Result>) => Promise<Result>,
  ): Promise<number[]> {
    const { likeliest, vocabSize } = this.#source;
    const newTokens = ({ ids, contextLength }: OpenSequence) => ids.length - contextLength;
    const takesLikeliest = sequences.every(
      (sequence) => sequence.settings.strategy.kind === 'greedy' && keepsLogits(sequence.settings, newTokens(sequence)),
    );
    if (likeliest !== undefined && takesLikeliest) {
      const ids = await step(likeliest);
      return sequences.map(({ row }) => ids[row] ?? NOT_FINITE);
    }
    const logits = await step<Float32Array>(this.#source);
    return sequences.map((sequence) => {
      const { ids, row, choose, settings } = sequence;
      const scores = logits.slice(row * vocabSize, (row + 1) * vocabSize);
      if (!areFinite(scores)) return NOT_FINITE;
      applyLogitsRules(scores, { ids, newTokens: newTokens(sequence) }, settings);
      return choose(scores);
    });
  }
}

function chooser(strategy: StepStrategy, stream: number): (scores: Float32Array) => number {
  if (strategy.kind === 'greedy') return argmax;
  const random = randomStream(strategy.seed, stream);
  return (scores) => {
    applySamplingFilters(scores, strategy);
    return draw(softmax(scores), random());
  };
}

/** The id at which the running sum of probabilities passes `point`, a number in [0, 1). */
function draw(probabilities: Float64Array, point: number): number {
  let sum = 0;
  let last = 0;
  for (const [id, probability] of probabilities.entries()) {
    if (probability === 0) continue;
    sum += probability;
    last = id;
    if (sum > point) return id;
  }
  // Rounding can leave the sum a hair below 1.
  return last;
}
