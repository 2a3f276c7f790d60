/**
 * Greedy search and sampling: each sequence grows by one token per step, on its own. A finished one leaves the batch, so
 * the model runs only for those that go on.
 */
import type { GeneratedSequence, GenerationHooks, GenerationRequest } from './generation-request.js';
import type { GenerationSettings, Strategy } from './generation-options.js';
import { applyLogitsRules, keepsLogits } from './logits-rules.js';
import { randomStream } from './random-stream.js';
import { applySamplingFilters } from './sampling-filters.js';
import { argmax, softmax } from './softmax.js';
import type { TokenSource, TokenSteps } from './token-source.js';

type StepStrategy = Exclude<Strategy, { kind: 'beam' }>;
type StepSettings = GenerationSettings & { readonly strategy: StepStrategy };

interface OpenSequence {
  readonly picture: number;
  readonly sequence: number;
  /** Context and new ids. */
  readonly ids: number[];
  readonly contextLength: number;
  readonly choose: (scores: Float32Array) => number;
  /** Row of the last logits that continues this sequence. */
  row: number;
}

export async function generateStepByStep(
  source: TokenSource,
  request: GenerationRequest,
  settings: StepSettings,
  { signal, onToken }: GenerationHooks,
): Promise<GeneratedSequence[][]> {
  const results: GeneratedSequence[][] = request.contextIds.map(() => []);
  let open = openSequences(request, settings.strategy);
  signal?.throwIfAborted();
  let next = await nextIds(open, source, settings, (steps) => steps.prefill());
  for (;;) {
    open.forEach(({ ids }, index) => ids.push(next[index] ?? 0));
    if (onToken) {
      for (const { picture, sequence, ids } of open) await onToken({ picture, sequence, id: ids.at(-1) ?? -1 });
    }
    open = open.filter((sequence) => {
      const ids = sequence.ids.slice(sequence.contextLength);
      const stopped = settings.eosTokenIds.includes(ids.at(-1) ?? -1);
      if (!stopped && ids.length < settings.maxNewTokens) return true;
      const finish = stopped ? 'stop' : 'length';
      results[sequence.picture]?.splice(sequence.sequence, 1, { ids, finish, score: null });
      return false;
    });
    if (open.length === 0) return results;
    signal?.throwIfAborted();
    const newest = open.map(({ ids }) => ids.at(-1) ?? -1);
    const parents = open.map(({ row }) => row);
    open.forEach((sequence, row) => (sequence.row = row));
    next = await nextIds(open, source, settings, (steps) => steps.advance(newest, parents));
  }
}

/** One step of the model, and what each open sequence makes of it. */
async function nextIds(
  open: readonly OpenSequence[],
  source: TokenSource,
  settings: StepSettings,
  step: <Result>(steps: TokenSteps<Result>) => Promise<Result>,
): Promise<number[]> {
  const newTokens = (open[0]?.ids.length ?? 0) - (open[0]?.contextLength ?? 0);
  if (source.likeliest !== undefined && settings.strategy.kind === 'greedy' && keepsLogits(settings, newTokens)) {
    const ids = await step(source.likeliest);
    return open.map(({ row }) => ids[row] ?? 0);
  }
  const { vocabSize } = source;
  const logits = await step<Float32Array>(source);
  return open.map(({ ids, row, choose }) => {
    const scores = logits.slice(row * vocabSize, (row + 1) * vocabSize);
    applyLogitsRules(scores, { ids, newTokens }, settings);
    return choose(scores);
  });
}

function openSequences({ contextIds, randomStreams }: GenerationRequest, strategy: StepStrategy): OpenSequence[] {
  const perPicture = strategy.kind === 'sampling' ? strategy.returned : 1;
  return contextIds.flatMap((context, picture) =>
    Array.from({ length: perPicture }, (_, sequence) => ({
      picture,
      sequence,
      ids: [...context],
      contextLength: context.length,
      choose: chooser(strategy, (randomStreams?.[picture] ?? picture) * perPicture + sequence),
      row: picture,
    })),
  );
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
