/** Errors between processes and threads: a clone would lose what makes them ours. */
import { Blip2Error } from '../errors.js';
import type { ErrorCode } from '../error-codes.js';
import { textOf, type ErrorText } from '../error-text.js';

export interface SentError {
  readonly name: string;
  readonly message: ErrorText;
  readonly stack: string | undefined;
  /** Present in errors of this package. */
  readonly code: ErrorCode | undefined;
  readonly hint: ErrorText | undefined;
  readonly details: Readonly<Record<string, unknown>>;
}

export function sendError(error: unknown): SentError {
  const ours = error instanceof Blip2Error ? error : undefined;
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const texts = ours?.texts ?? { message, hint: undefined };
  return { name, ...texts, stack, code: ours?.code, details: ours?.details ?? {} };
}

export function receiveError({ name, message, stack, code, hint, details }: SentError): Error {
  const error = code === undefined ? new Error(textOf(message)) : new Blip2Error(code, message, { details, hint });
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
