import type { ErrorCode } from './error-codes.js';
import { textOf, type ErrorText, type OptionName } from './error-text.js';

/**
 * The one error class that this package throws on purpose. `code` is stable and meant for programs; `message` says what
 * went wrong with the numbers; `hint` says what to type or do next. Both name options as the library does.
 */
export class Blip2Error extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  /** `message` and `hint` with the options in them told apart from words. */
  readonly texts: { readonly message: ErrorText; readonly hint: ErrorText | undefined };

  constructor(
    code: ErrorCode,
    message: ErrorText,
    options: { hint?: ErrorText | undefined; details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(textOf(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Blip2Error';
    this.code = code;
    this.hint = options.hint === undefined ? undefined : textOf(options.hint);
    this.details = options.details ?? {};
    this.texts = { message, hint: options.hint };
  }

  /** Message and hint in the words of another interface, such as flags. */
  inWordsOf(nameOf: (option: OptionName) => string): { readonly message: string; readonly hint: string | undefined } {
    const { message, hint } = this.texts;
    return { message: textOf(message, nameOf), hint: hint === undefined ? undefined : textOf(hint, nameOf) };
  }
}

/** What an error says, whatever was thrown. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.message !== '') return cause.message;
  // Where a host has several addresses and none of them answers, Node leaves it to the error of each to say so.
  return cause instanceof AggregateError ? [...new Set(cause.errors.map(reasonOf))].join('; ') : cause.name;
}
