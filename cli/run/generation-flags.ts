import type { Argv } from 'yargs';
import { type Ask, captionPresets, type GenerationOptions } from '../../src/runtime/index.js';
import { usageError } from '../common/main.js';
import { batchSize } from '../common/batch-size.js';
import { wholeNumber } from '../common/parser.js';
import { type ArgsOf, listFlag, switchFlag, textFlag } from '../common/flags.js';

type PresetName = keyof typeof captionPresets;
const EARLY_STOPPING = ['always', 'never'] as const;
const PRESET_NAMES = Object.keys(captionPresets) as PresetName[];

const FLAGS = {
  question: { ...textFlag('Text:', 'asked as "Question: ... Answer:"'), conflicts: 'prompt' },
  prompt: textFlag('Text:', 'text to go on from, as it stands'),
  preset: {
    choices: PRESET_NAMES,
    group: 'Text:',
    describe: 'fast: greedy, 20 tokens (the default); paper: as BLIP-2 was evaluated, 5 beams, 8 to 30 tokens',
  },
  'max-new-tokens': count('max-new-tokens', 1, 'most tokens of an answer; shorter than words [default: 20]'),
  'min-new-tokens': count('min-new-tokens', 0, 'fewest tokens before an answer may end [default: 0]'),
  beams: count('beams', 1, 'sequences pursued at once [default: 1, greedy]'),
  'length-penalty': number('length-penalty', 'with beams: above 0 favours long answers [default: 1]'),
  'early-stopping': {
    choices: EARLY_STOPPING,
    group: 'Text:',
    describe:
      'with beams: always, once as many answers ended; never, before nothing can improve [default: an estimate]',
  },
  'num-captions': count('num-captions', 1, 'answers per picture, with beams or --sample [default: 1]'),
  'repetition-penalty': number('repetition-penalty', 'above 1 makes repeated tokens less likely [default: 1]'),
  'no-repeat-ngram': count('no-repeat-ngram', 0, 'no sequence of this many tokens twice [default: off]'),
  'stop-id': listFlag('Text:', "token id that ends an answer, repeatable [default: the checkpoint's]"),
  sample: switchFlag('Text:', 'draw tokens by their probability'),
  temperature: number('temperature', 'with --sample [default: 1]'),
  'top-k': count('top-k', 0, 'with --sample: only the likeliest this many [default: 50]'),
  'top-p': number('top-p', 'with --sample: only the likeliest up to this probability [default: 1]'),
  seed: count('seed', 0, 'with --sample: the same seed draws the same tokens; --out asks for one'),
  batch: {
    ...textFlag(
      'Text:',
      'pictures that run together; auto: as many as make for the most of them per second in the budgets [default: auto]',
    ),
    coerce: batchSize,
  },
} as const;

/** Their names: none goes with a task that makes no text. */
export const GENERATION_FLAGS: readonly string[] = Object.keys(FLAGS);

/** What is asked of the pictures, and how the answers are made. */
export function generationFlags<T>(parser: Argv<T>) {
  return parser.options(FLAGS);
}

export type GenerationArgs = ArgsOf<typeof FLAGS>;

/** A question or prompt of the caller's takes the place of the preset's prompt. */
export function readAsk({ question, prompt, preset }: GenerationArgs): Ask {
  if (question?.trim() === '') throw usageError('--question is empty', 'Leave it out for a caption.');
  if (question !== undefined) return { question };
  const text = prompt ?? (preset === 'paper' ? captionPresets.paper.prompt : undefined);
  return text === undefined ? {} : { prompt: text };
}

/**
 * @throws Blip2Error `USAGE` for flags of one way of choosing tokens beside another; values out of range are refused where
 *   the options are resolved, before a picture is read.
 */
export function readGeneration(args: GenerationArgs): GenerationOptions {
  // Who samples, or asks for one beam, has another search than the preset, and its lengths all the same.
  const {
    prompt: _prompt,
    numBeams: presetBeams,
    ...lengths
  } = {
    prompt: undefined,
    numBeams: 1,
    ...captionPresets[args.preset ?? 'fast'],
  };
  const common = given({
    maxNewTokens: args['max-new-tokens'],
    minNewTokens: args['min-new-tokens'],
    repetitionPenalty: args['repetition-penalty'],
    noRepeatNgramSize: args['no-repeat-ngram'],
    eosTokenIds: readStopIds(args['stop-id']),
    numReturnSequences: args['num-captions'],
  });
  const sampling = given({ temperature: args.temperature, topK: args['top-k'], topP: args['top-p'], seed: args.seed });
  const beams = given({
    numBeams: args.beams,
    lengthPenalty: args['length-penalty'],
    earlyStopping: readEarlyStopping(args['early-stopping']),
  });
  if (args.sample === true) {
    if (Object.keys(beams).length > 0)
      throw usageError('--beams, --length-penalty and --early-stopping do not go with --sample');
    return { ...lengths, ...common, ...sampling, doSample: true };
  }
  if (Object.keys(sampling).length > 0) throw usageError('--temperature, --top-k, --top-p and --seed need --sample');
  const numBeams = beams.numBeams ?? presetBeams;
  if (numBeams === 1) {
    if (beams.lengthPenalty !== undefined) throw usageError('--length-penalty needs --beams');
    if (beams.earlyStopping !== undefined) throw usageError('--early-stopping needs --beams');
    if ((common.numReturnSequences ?? 1) > 1) throw usageError('--num-captions needs --beams or --sample');
    const { numReturnSequences: _one, ...greedy } = common;
    return { ...lengths, ...greedy };
  }
  return { ...lengths, ...common, ...beams, numBeams };
}

function readEarlyStopping(flag: GenerationArgs['early-stopping']): true | 'never' | undefined {
  return flag === 'always' ? true : flag;
}

function readStopIds(flags: readonly string[] | undefined): number[] | undefined {
  return flags?.map((flag) => wholeNumber('stop-id', 0)(flag) ?? 0);
}

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** The fields that have a value. */
function given<T extends object>(fields: T): Given<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<T>;
}

function count(flag: string, min: number, describe: string) {
  return { ...textFlag('Text:', describe), coerce: wholeNumber(flag, min) } as const;
}

function number(flag: string, describe: string) {
  return { ...textFlag('Text:', describe), coerce: decimal(flag) } as const;
}

function decimal(flag: string): (value: unknown) => number | undefined {
  return (value) => {
    if (value === undefined) return undefined;
    const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
    if (!Number.isFinite(parsed)) throw usageError(`--${flag} takes a number, not ${JSON.stringify(value)}`);
    return parsed;
  };
}
