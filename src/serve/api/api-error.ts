import { Blip2Error } from '../../errors.js';

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
      readonly code: string;
    };
  };
  /** Whether the same request may be answered a little later. */
  readonly isPassing: boolean;
}

/** A field of a request that is missing or wrong. */
export function badField(param: string, message: string, hint?: string): Blip2Error {
  return new Blip2Error('REQUEST_INVALID', message, { details: { param }, ...(hint === undefined ? {} : { hint }) });
}

/** Those of a request that is at fault are 400 where they are not here. */
const STATUS: Readonly<Record<string, number>> = {
  TOKEN_INVALID: 401,
  HOST_REFUSED: 403,
  NOT_FOUND: 404,
  METHOD_REFUSED: 405,
  REQUEST_SLOW: 408,
  REQUEST_TOO_LARGE: 413,
  CONTENT_TYPE: 415,
  QUEUE_FULL: 429,
  LOGITS_NOT_FINITE: 500,
  SERVICE_CLOSED: 503,
  MODEL_STARTING: 503,
  PROCESS_ENDED: 503,
  OUT_OF_MEMORY: 503,
  ANSWER_TIMEOUT: 504,
  // Nobody reads it: what nginx writes in its log.
  CLIENT_GONE: 499,
};
const AT_FAULT = /^(REQUEST_INVALID|OPTION_INVALID|(IMAGE|PROMPT)_\w+)$/;

/** What nobody foresaw is not told to who asks: its message may name files of this machine. */
const UNEXPECTED = new Blip2Error('UNEXPECTED', 'the server failed to answer; its log says more');

export function apiError(error: unknown): ApiError {
  const known = error instanceof Blip2Error ? error : UNEXPECTED;
  const status = STATUS[known.code] ?? (AT_FAULT.test(known.code) ? 400 : 500);
  const { code, message, hint, details } = status === 500 && known.code !== 'LOGITS_NOT_FINITE' ? UNEXPECTED : known;
  const { param } = details;
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
