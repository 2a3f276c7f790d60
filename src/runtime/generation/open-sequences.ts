/**
 * Sequences that grow by one token a step, each on its own: greedy search and sampling. What a picture is answered depends
 * on nothing but the picture: not on those beside it, nor on when it began.
 */
import { at } from '../../checked-access.js';
import type { GeneratedSequence, GenerationHooks, GenerationRequest } from './generation-request.js';
import { sequencesAtOnce, type GenerationSettings, type Strategy } from './generation-options.js';
import { applyLogitsRules, keepsLogits, onlyLowers } from './logits-rules.js';
import { areFinite, NOT_FINITE, notFiniteError } from './not-finite.js';
import { randomStream } from './random-stream.js';
import type { RollingSource, RollingSteps } from './rolling-source.js';
import { applySamplingFilters } from './sampling-filters.js';
import { idAt, wholeRow, type ScoreRow } from './score-row.js';
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

/**
 * An id; null where it may be one that is not listed.
 * @param logSum of all scores divided by the temperature, which no rule has changed; null where nobody tells
 */
type Choose = (scores: ScoreRow, logSum: number | null) => number | null;

interface OpenSequence {
  readonly picture: number;
  readonly sequence: number;
  /** Context and new ids. */
  readonly ids: number[];
  readonly contextLength: number;
  readonly settings: StepSettings;
  readonly choose: Choose;
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
    const { likeliest, listed, vocabSize } = this.#source;
    const takesLikeliest = sequences.every(
      (sequence) =>
        sequence.settings.strategy.kind === 'greedy' && keepsLogits(sequence.settings, newTokensOf(sequence)),
    );
    if (likeliest !== undefined && takesLikeliest) {
      const ids = await step(likeliest);
      return sequences.map(({ row }) => ids[row] ?? NOT_FINITE);
    }
    const isListable = sequences.every(({ settings }) => onlyLowers(settings)) && sequences.some(choosesFromFew);
    if (listed !== undefined && isListable) {
      const temperatures = sequences.map(temperatureOf);
      const temperature = temperatures.find((each) => each !== null) ?? 1;
      const { rows, logits } = await step(listed(Math.fround(temperature)));
      let all: Float32Array | undefined;
      return sequences.map((sequence, index) => {
        const { isFinite, row, logSum } = at(rows, sequence.row);
        if (!isFinite) return NOT_FINITE;
        // Sequences of one picture begin with the same row, and each changes it in its way.
        const own = row && { ...row, values: row.values.slice() };
        const sum = temperatures[index] === temperature ? logSum : null;
        return (own && chosen(sequence, own, sum)) ?? fromAll(sequence, (all ??= logits()), vocabSize);
      });
    }
    const logits = await step<Float32Array>(this.#source);
    return sequences.map((sequence) => fromAll(sequence, logits, vocabSize));
  }
}

/** A sample of the whole vocabulary is drawn from whole rows. */
const choosesFromFew = ({ settings: { strategy } }: OpenSequence): boolean =>
  strategy.kind === 'greedy' || strategy.topK > 0 || strategy.topP < 1;

/** Of who needs the sum of all, where no rule changes it. */
function temperatureOf(sequence: OpenSequence): number | null {
  const { strategy } = sequence.settings;
  const needsSum = strategy.kind === 'sampling' && strategy.topK === 0 && strategy.topP < 1;
  return needsSum && keepsLogits(sequence.settings, newTokensOf(sequence)) ? strategy.temperature : null;
}

const newTokensOf = ({ ids, contextLength }: OpenSequence): number => ids.length - contextLength;

/** @param logits of all sequences; what is chosen from a whole row is among them */
function fromAll(sequence: OpenSequence, logits: Float32Array, vocabSize: number): number {
  const scores = logits.slice(sequence.row * vocabSize, (sequence.row + 1) * vocabSize);
  return areFinite(scores) ? (chosen(sequence, wholeRow(scores), null) ?? NOT_FINITE) : NOT_FINITE;
}

function chosen(sequence: OpenSequence, scores: ScoreRow, logSum: number | null): number | null {
  const { ids, settings, choose } = sequence;
  applyLogitsRules(scores, { ids, newTokens: newTokensOf(sequence) }, settings);
  return choose(scores, logSum);
}

function chooser(strategy: StepStrategy, stream: number): Choose {
  if (strategy.kind === 'greedy') {
    return (scores) => {
      const place = argmax(scores.values);
      return at(scores.values, place) >= scores.least ? idAt(scores, place) : null;
    };
  }
  const random = randomStream(strategy.seed, stream);
  return (scores, logSum) => {
    if (!applySamplingFilters(scores, strategy, logSum)) return null;
    return idAt(scores, draw(softmax(scores.values), random()));
  };
}

/** The place at which the running sum of probabilities passes `point`, a number in [0, 1). */
function draw(probabilities: Float64Array, point: number): number {
  let sum = 0;
  let last = 0;
  for (let place = 0; place < probabilities.length; place++) {
    const probability = at(probabilities, place);
    if (probability === 0) continue;
    sum += probability;
    last = place;
    if (sum > point) return place;
  }
  // Rounding can leave the sum a hair below 1.
  return last;
}
