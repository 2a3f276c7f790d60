/**
 * What a person may ask of decoding. Names and defaults are those of transformers' `generate`, in camelCase. Lengths are
 * counted in new tokens only: transformers' `max_length` counts prompt and picture too, which no caller knows.
 */
import { Blip2Error } from '../../errors.js';
import { errorText, option, type ErrorText, type OptionName } from '../../error-text.js';

export const DEFAULT_NEW_TOKENS = 20;

/** Of one picture: each step reads a row of the vocabulary for every sequence, and beams compare all of them. */
const MOST_BEAMS = 1000;
const MOST_RETURNED = 4096;
/** What divides or multiplies logits lies between these, so that they stay within float32. */
const LEAST_FACTOR = 1e-30;
const MOST_FACTOR = 1e30;
/** A length to the power of the penalty, which scores are divided by: they stay within float32. */
const MOST_LENGTH_DIVISOR = 1e25;
/** And what they are multiplied by where it is negative: they stay above the score of a sequence that must not be chosen. */
const MOST_LENGTH_FACTOR = 1e6;

interface CommonOptions {
  /** At most this many new tokens per sequence, the stop id included. Default 20. */
  readonly maxNewTokens?: number;
  /** The stop ids are forbidden until this many new tokens. Default 0. */
  readonly minNewTokens?: number;
  /** Above 1 makes ids that occurred (prompt included, for OPT) less likely, below 1 more likely. Default 1. */
  readonly repetitionPenalty?: number;
  /** No sequence of this many ids occurs twice, prompt included for OPT. Default 0, off. */
  readonly noRepeatNgramSize?: number;
  /** Ids that end a sequence, instead of the checkpoint's own. */
  readonly eosTokenIds?: readonly number[];
}

/** The likeliest token at each step. */
export interface GreedyOptions extends CommonOptions {
  readonly doSample?: false;
  readonly numBeams?: 1;
  readonly numReturnSequences?: 1;
  readonly lengthPenalty?: never;
  readonly earlyStopping?: never;
  readonly temperature?: never;
  readonly topK?: never;
  readonly topP?: never;
  readonly seed?: never;
}

/** The likeliest sequence among `numBeams` that are pursued at once. */
export interface BeamOptions extends CommonOptions {
  readonly doSample?: false;
  readonly numBeams: number;
  /** How many of the best sequences to return per picture, at most `numBeams`. Default 1. */
  readonly numReturnSequences?: number;
  /** Scores are divided by length to this power: above 0 favours long sequences, below 0 short ones. Default 1. */
  readonly lengthPenalty?: number;
  /** `true` stops once `numBeams` sequences ended, `false` by an estimate, `'never'` only when nothing can improve. */
  readonly earlyStopping?: boolean | 'never';
  readonly temperature?: never;
  readonly topK?: never;
  readonly topP?: never;
  readonly seed?: never;
}

/** Tokens drawn by their probability. */
export interface SamplingOptions extends CommonOptions {
  readonly doSample: true;
  readonly numBeams?: 1;
  /** Independent draws per picture. Default 1. */
  readonly numReturnSequences?: number;
  /** Logits are divided by this. Default 1. */
  readonly temperature?: number;
  /** Only the likeliest this many tokens; 0 for all. Default 50, as in transformers. */
  readonly topK?: number;
  /** Only the smallest set of tokens whose probabilities reach this sum. Default 1, off. */
  readonly topP?: number;
  /** The same seed gives the same tokens, whatever the batch. Without one every call differs. */
  readonly seed?: number;
  readonly lengthPenalty?: never;
  readonly earlyStopping?: never;
}

/** Of sequences that grow by one token a step, each on its own. */
export type StepOptions = GreedyOptions | SamplingOptions;

/**
 * How tokens are chosen: greedily, by sampling, or by beam search. Each gives what transformers' `generate` gives by the same settings.
 */
export type GenerationOptions = StepOptions | BeamOptions;

/** How the next tokens are chosen, with everything that only that way of choosing needs. */
export type Strategy =
  | { readonly kind: 'greedy' }
  | {
      readonly kind: 'beam';
      readonly beams: number;
      readonly returned: number;
      readonly lengthPenalty: number;
      readonly earlyStopping: boolean | 'never';
    }
  | {
      readonly kind: 'sampling';
      readonly returned: number;
      readonly temperature: number;
      readonly topK: number;
      readonly topP: number;
      readonly seed: number;
    };

/** Of one picture: what a plan calls its beams. */
export function sequencesAtOnce(strategy: Strategy): number {
  if (strategy.kind === 'beam') return strategy.beams;
  return strategy.kind === 'sampling' ? strategy.returned : 1;
}

/** Options with every default filled in. */
export interface GenerationSettings {
  readonly maxNewTokens: number;
  readonly minNewTokens: number;
  readonly repetitionPenalty: number;
  readonly noRepeatNgramSize: number;
  readonly eosTokenIds: readonly number[];
  readonly strategy: Strategy;
}

/** What options are checked against: the checkpoint's own stop ids (`text_config.eos_token_id`), and how many ids there are. */
export interface TokenIds {
  readonly eosTokenIds: readonly number[];
  readonly vocabSize: number;
}

/**
 * Fills in the defaults and checks every value.
 * @throws Blip2Error `OPTION_INVALID`, naming the option, its value and what it may be
 */
export function resolveGenerationOptions(
  options: GenerationOptions,
  { eosTokenIds: ownEosTokenIds, vocabSize }: TokenIds,
): GenerationSettings {
  const maxNewTokens = whole('maxNewTokens', options.maxNewTokens ?? DEFAULT_NEW_TOKENS, 1);
  const minNewTokens = whole('minNewTokens', options.minNewTokens ?? 0, 0);
  if (minNewTokens > maxNewTokens) {
    throw invalid('minNewTokens', minNewTokens, errorText`at most ${option('maxNewTokens')} (${maxNewTokens})`);
  }
  for (const id of options.eosTokenIds ?? []) {
    if (whole('eosTokenIds', id, 0) < vocabSize) continue;
    throw invalid('eosTokenIds', id, `an id of this model's vocabulary, 0 to ${vocabSize - 1}`);
  }
  const repetitionPenalty = factor('repetitionPenalty', options.repetitionPenalty ?? 1);
  return {
    maxNewTokens,
    minNewTokens,
    repetitionPenalty,
    noRepeatNgramSize: whole('noRepeatNgramSize', options.noRepeatNgramSize ?? 0, 0),
    eosTokenIds: options.eosTokenIds ?? ownEosTokenIds,
    strategy: resolveStrategy(options, maxNewTokens, repetitionPenalty),
  };
}

function resolveStrategy(options: GenerationOptions, maxNewTokens: number, repetitionPenalty: number): Strategy {
  const beams = whole('numBeams', options.numBeams ?? 1, 1, MOST_BEAMS);
  const returned = whole('numReturnSequences', options.numReturnSequences ?? 1, 1, MOST_RETURNED);
  if (options.doSample === true) {
    if (beams > 1)
      throw invalid('numBeams', beams, errorText`1 with ${option('doSample')}: beams are not sampled here`);
    const topP = positive('topP', options.topP ?? 1);
    if (topP > 1) throw invalid('topP', topP, 'above 0 and at most 1');
    const temperature = factor('temperature', options.temperature ?? 1);
    // A logit is divided by both, one after the other.
    const least = LEAST_FACTOR * Math.max(repetitionPenalty, 1 / repetitionPenalty);
    if (temperature < least) {
      const allowed = errorText`at least ${least} with ${option('repetitionPenalty')} ${repetitionPenalty}`;
      throw invalid('temperature', temperature, allowed);
    }
    return {
      kind: 'sampling',
      returned,
      temperature,
      topK: whole('topK', options.topK ?? 50, 0),
      topP,
      seed: whole('seed', options.seed ?? Math.floor(Math.random() * 2 ** 32), 0),
    };
  }
  for (const name of ['temperature', 'topK', 'topP', 'seed'] as const) {
    if (options[name] !== undefined)
      throw invalid(name, options[name], errorText`absent without ${option('doSample')}`);
  }
  if (returned > beams)
    throw invalid('numReturnSequences', returned, errorText`at most ${option('numBeams')} (${beams})`);
  if (beams > 1) {
    const lengthPenalty = options.lengthPenalty ?? 1;
    const power = (factorOfLength: number): number => Math.log(factorOfLength) / Math.log(Math.max(maxNewTokens, 2));
    const [least, most] = [-power(MOST_LENGTH_FACTOR), power(MOST_LENGTH_DIVISOR)];
    if (!(lengthPenalty >= least && lengthPenalty <= most)) {
      const range = `between ${least.toFixed(1)} and ${most.toFixed(1)}`;
      throw invalid('lengthPenalty', lengthPenalty, `${range} for ${maxNewTokens} new tokens`);
    }
    return { kind: 'beam', beams, returned, lengthPenalty, earlyStopping: options.earlyStopping ?? false };
  }
  return { kind: 'greedy' };
}

function whole(name: OptionName, value: number, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || value < least) throw invalid(name, value, `a whole number of at least ${least}`);
  if (value > most) throw invalid(name, value, `at most ${most}`);
  return value;
}

function factor(name: OptionName, value: number): number {
  if (positive(name, value) >= LEAST_FACTOR && value <= MOST_FACTOR) return value;
  throw invalid(name, value, `between ${LEAST_FACTOR} and ${MOST_FACTOR}`);
}

function positive(name: OptionName, value: number): number {
  if (!Number.isFinite(value) || value <= 0) throw invalid(name, value, 'a number above 0');
  return value;
}

function invalid(name: OptionName, value: number, allowed: ErrorText): Blip2Error {
  return new Blip2Error('OPTION_INVALID', errorText`${option(name)} is ${value}; it has to be ${allowed}`, {
    details: { option: name, value },
  });
}
