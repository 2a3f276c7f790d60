import { Blip2Error } from '../../errors.js';
import type { ErrorCode } from '../../error-codes.js';
import type { OptionName } from '../../error-text.js';
import { HTTP_STATUS } from './http-status.js';

/** What the API answers where it has no caption, in the form of OpenAI's errors. */
export interface ApiError {
  readonly status: number;
  readonly body: {
    readonly error: {
      readonly message: string;
      readonly type: 'invalid_request_error' | 'authentication_error' | 'rate_limit_error' | 'server_error';
      /** The field of the request that is wrong, where it is one. */
      readonly param: string | null;
      /** One of ours: stable, for programs. */
      readonly code: ErrorCode;
    };
  };
  /** Whether the same request may be answered a little later. */
  readonly isPassing: boolean;
}

/** A field of a request that is missing or wrong. */
export function badField(param: string, message: string, hint?: string): Blip2Error {
  return new Blip2Error('REQUEST_INVALID', message, { details: { param }, ...(hint === undefined ? {} : { hint }) });
}

/** Options of the library -> the fields that set them here. */
const FIELDS: Readonly<Partial<Record<OptionName, string>>> = {
  maxNewTokens: 'max_tokens',
  minNewTokens: 'min_tokens',
  repetitionPenalty: 'repetition_penalty',
  topK: 'top_k',
  topP: 'top_p',
  // Whoever runs the server sets these.
  fetchLimitBytes: '--max-body',
  fetchTimeoutMs: '--body-timeout',
};

const fieldOf = (name: OptionName): string => FIELDS[name] ?? name;

/** What nobody foresaw is not told to who asks: its message may name files of this machine. */
const UNEXPECTED = new Blip2Error('UNEXPECTED', 'the server failed to answer; its log says more');

export function apiError(error: unknown): ApiError {
  const known = error instanceof Blip2Error ? error : UNEXPECTED;
  const status = HTTP_STATUS[known.code] ?? 500;
  const told = status === 500 && known.code !== 'LOGITS_NOT_FINITE' ? UNEXPECTED : known;
  const { message, hint } = told.inWordsOf(fieldOf);
  const { code, details } = told;
  const param = details['param'] ?? (code === 'OPTION_INVALID' ? fieldOf(details['option'] as OptionName) : null);
  return {
    status,
    body: {
      error: {
        message: hint === undefined ? sentence(message) : `${sentence(message)} ${hint}`,
        type: typeOf(status),
        param: typeof param === 'string' ? param : null,
        code,
      },
    },
    isPassing: status === 429 || status === 503,
  };
}

function typeOf(status: number): ApiError['body']['error']['type'] {
  if (status === 401) return 'authentication_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

const sentence = (message: string): string => (/[.!?]$/.test(message) ? message : `${message}.`);
