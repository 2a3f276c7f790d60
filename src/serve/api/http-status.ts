import type { ErrorCode } from '../../error-codes.js';

/** What a request is answered with that ends in an error; any other code is 500. */
export const HTTP_STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  REQUEST_INVALID: 400,
  OPTION_INVALID: 400,
  PROMPT_INVALID: 400,
  PROMPT_TOO_LONG: 400,
  IMAGE_NOT_FOUND: 400,
  IMAGE_ORIGIN: 400,
  IMAGE_SIZE: 400,
  IMAGE_TIMEOUT: 400,
  IMAGE_TOO_LARGE: 400,
  IMAGE_UNREADABLE: 400,
  IMAGE_UNSUPPORTED: 400,
  TOKEN_INVALID: 401,
  HOST_REFUSED: 403,
  NOT_FOUND: 404,
  METHOD_REFUSED: 405,
  REQUEST_SLOW: 408,
  REQUEST_TOO_LARGE: 413,
  CONTENT_TYPE: 415,
  QUEUE_FULL: 429,
  // Nobody reads it: what nginx writes in its log.
  CLIENT_GONE: 499,
  LOGITS_NOT_FINITE: 500,
  MODEL_STARTING: 503,
  OUT_OF_MEMORY: 503,
  PROCESS_ENDED: 503,
  SERVICE_CLOSED: 503,
  ANSWER_TIMEOUT: 504,
};
