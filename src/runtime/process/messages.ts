/** What a captioner and the process that holds its model say to each other. */
import { Blip2Error } from '../../errors.js';
import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import type { CaptionBatch } from '../caption-engine.js';
import type { Caption, DeviceOptions } from '../captioner-options.js';
import type { TokenEvent } from '../generation/generation-request.js';

/** Options that are data: what is called back stays with the caller. */
export type SentOptions = Omit<DeviceOptions, 'signal' | 'onConvert'>;

/** To the process that holds the model. `call` numbers the batches. */
export type Request =
  | { readonly kind: 'start'; readonly checkpoint: Checkpoint; readonly options: SentOptions }
  | { readonly kind: 'caption'; readonly call: number; readonly batch: CaptionBatch; readonly tokens: boolean }
  | { readonly kind: 'token-taken'; readonly call: number }
  | { readonly kind: 'abort'; readonly call: number };

/** From it. Starting is call 0. */
export type Reply =
  | { readonly kind: 'started' }
  | { readonly kind: 'converted'; readonly writtenBytes: number; readonly totalBytes: number }
  | { readonly kind: 'token'; readonly call: number; readonly event: TokenEvent }
  | { readonly kind: 'captions'; readonly call: number; readonly captions: Caption[] }
  | { readonly kind: 'failed'; readonly call: number; readonly error: SentError };

export const START_CALL = 0;

interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Present in errors of this package. */
  readonly code: string | undefined;
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
