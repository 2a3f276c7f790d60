import type { ErrorCode } from './error-codes.js';

/**
 * The one error class that this package throws on purpose. `code` is stable and meant for programs; `message` says what
 * went wrong with the numbers; `hint` says what to type or do next.
 */
export class Blip2Error extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string; details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Blip2Error';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}
