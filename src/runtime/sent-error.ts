/** Errors between processes and threads: a clone would lose what makes them ours. */
import { Blip2Error } from '../errors.js';
import type { ErrorCode } from '../error-codes.js';

export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Present in errors of this package. */
  readonly code: ErrorCode | undefined;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
}

export function sendError(error: unknown): SentError {
  const ours = error instanceof Blip2Error ? error : undefined;
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { name, message, stack, code: ours?.code, hint: ours?.hint, details: ours?.details ?? {} };
}

export function receiveError({ name, message, stack, code, hint, details }: SentError): Error {
  const error =
    code === undefined
      ? new Error(message)
      : new Blip2Error(code, message, { details, ...(hint === undefined ? {} : { hint }) });
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
