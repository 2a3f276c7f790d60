import { readFile } from 'node:fs/promises';
import type { Argv } from 'yargs';
import { parseSize } from '../../src/planner/index.js';
import { MAX_PIXELS } from '../../src/runtime/image/picture-refusal.js';
import type { TextUse } from '../../src/serve/answer-chat.js';
import { isLoopback } from '../../src/serve/http/who-may-ask.js';
import type { ServeLimits } from '../../src/serve/limits.js';
import { reasonOf } from '../../src/errors.js';
import { usageError } from '../common/main.js';
import { wholeNumber } from '../common/parser.js';
import { type ArgsOf, listFlag, textFlag } from '../common/flags.js';

const TEXT_USES = ['prompt', 'question', 'none'] as const satisfies readonly TextUse[];
const [DEFAULT_HOST, DEFAULT_PORT] = ['127.0.0.1', 8000];
const MOST_PORT = 65_535;
const TOKEN_VARIABLE = 'BLIP2_SERVE_TOKEN';

const FLAGS = {
  host: textFlag(
    'Address:',
    `address to listen on; any but this machine's own needs a token [default: ${DEFAULT_HOST}]`,
  ),
  port: {
    ...textFlag('Address:', `port to listen on, 0 for any that is free [default: ${DEFAULT_PORT}]`),
    coerce: wholeNumber('port', 0, { max: MOST_PORT, why: 'there are no more ports' }),
  },
  'token-file': textFlag(
    'Address:',
    `file with the token that requests have to have; or the variable ${TOKEN_VARIABLE}`,
  ),
  name: textFlag('API:', "what the model is called there [default: the checkpoint's folder]"),
  text: {
    choices: TEXT_USES,
    default: 'prompt' as const,
    group: 'API:',
    describe:
      'what the text of a message is: what the answer goes on from; a question, asked as "Question: ... Answer:"; or nothing, and every answer is a caption',
  },
  'image-origin': listFlag(
    'API:',
    'pictures may be fetched from here, such as https://photos.example; repeatable [default: from nowhere]',
  ),
  'max-new-tokens': count('max-new-tokens', 'most tokens of an answer, whatever is asked for', 128),
  'max-text-tokens': count('max-text-tokens', 'most tokens of a text', 128),
  'max-body': size('most bytes of a request', '32M'),
  'max-pixels': count('max-pixels', 'most pixels of a picture', MAX_PIXELS, MAX_PIXELS),
  'max-queue': count('max-queue', 'most requests that wait for their answers; others are told to come again', 256),
  'max-queue-bytes': size('most bytes that they may have in all', '512M'),
  'answer-timeout': count('answer-timeout', 'seconds that an answer may take, waiting included', 120, 86_400),
  'body-timeout': count('body-timeout', 'seconds that a request may take to arrive', 60, 3600),
  'stop-timeout': count('stop-timeout', 'seconds after SIGTERM or Ctrl-C for what is not answered yet', 30, 86_400),
} as const;

/** The flags of a server. */
export function serveFlags<T>(parser: Argv<T>) {
  return parser.options(FLAGS);
}

export type ServeArgs = ArgsOf<typeof FLAGS>;

export interface ServeAddress {
  readonly host: string;
  readonly port: number;
  /** null where the server is this machine's alone. */
  readonly token: string | null;
}

/** @throws Blip2Error `USAGE` for an address that others reach without a token */
export async function readAddress(args: ServeArgs): Promise<ServeAddress> {
  const host = (args.host ?? DEFAULT_HOST).replaceAll(/^\[|\]$/g, '');
  const { port = DEFAULT_PORT } = args;
  const token = await readToken(args['token-file']);
  if (token === null && !isLoopback(host)) {
    throw usageError(
      `${host} can be reached from other machines`,
      `Give a token with --token-file or ${TOKEN_VARIABLE}, and clients the same as their API key.`,
    );
  }
  return { host, port, token };
}

async function readToken(path: string | undefined): Promise<string | null> {
  const variable = process.env[TOKEN_VARIABLE];
  if (path === undefined && variable === undefined) return null;
  const read = async (file: string): Promise<string> =>
    readFile(file, 'utf8').catch((error: unknown) => {
      throw usageError(`the token cannot be read: ${reasonOf(error)}`);
    });
  const token = (path === undefined ? (variable ?? '') : await read(path)).trim();
  // What a header can hold; less could be guessed.
  if (/^[\x21-\x7e]{8,1024}$/.test(token)) return token;
  throw usageError('the token has to be 8 to 1024 letters, digits and signs without spaces', 'openssl rand -hex 32');
}

export function readLimits(args: ServeArgs): ServeLimits {
  return {
    bodyBytes: args['max-body'],
    queue: args['max-queue'] ?? FLAGS['max-queue'].standard,
    queueBytes: args['max-queue-bytes'],
    answerMs: 1000 * (args['answer-timeout'] ?? FLAGS['answer-timeout'].standard),
    bodyMs: 1000 * (args['body-timeout'] ?? FLAGS['body-timeout'].standard),
    newTokens: args['max-new-tokens'] ?? FLAGS['max-new-tokens'].standard,
  };
}

export const maxTextTokensOf = (args: ServeArgs): number =>
  args['max-text-tokens'] ?? FLAGS['max-text-tokens'].standard;

export const stopTimeoutMsOf = (args: ServeArgs): number =>
  1000 * (args['stop-timeout'] ?? FLAGS['stop-timeout'].standard);

/** @throws Blip2Error `USAGE` */
export function readOrigins(given: readonly string[] = []): string[] {
  return given.map((text) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url !== null && /^https?:$/.test(url.protocol) && /^https?:\/\/[^/?#@]+\/?$/i.test(text)) return url.origin;
    throw usageError(`--image-origin takes an origin such as https://photos.example, not ${JSON.stringify(text)}`);
  });
}

function count(flag: string, describe: string, standard: number, max = Number.MAX_SAFE_INTEGER) {
  const coerce = wholeNumber(flag, 1, { max, why: 'no more is possible' });
  return { ...textFlag('Limits:', `${describe} [default: ${standard}]`), coerce, standard } as const;
}

function size(describe: string, standard: string) {
  return { ...textFlag('Limits:', describe), default: standard, coerce: parseSize } as const;
}
