import { Blip2Error } from '../../errors.js';
import { errorText, option } from '../../error-text.js';
import { fetchFailure } from '../../fetch-failure.js';
import { MAX_PICTURE_BYTES } from './read-picture.js';

const DEFAULT_TIMEOUT_MS = 60_000;
const SLOW_MS = 5000;

/** What pictures that are fetched may take. */
export interface FetchLimits {
  /** A picture that is not here after so long fails: headers, body and redirects together. Default 60,000. */
  readonly fetchTimeoutMs?: number | undefined;
  /** A picture of more bytes fails. Default 512 MiB. */
  readonly fetchLimitBytes?: number | undefined;
}

export interface FetchOptions extends FetchLimits {
  /** Ends the work, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called once for a picture that is not here after five seconds, with its URL. */
  readonly onSlow?: ((url: string) => void) | undefined;
  /** Whether to go where the server says, or to fail. Default `follow`. */
  readonly redirect?: 'follow' | 'error' | undefined;
}

/** @throws Blip2Error `OPTION_INVALID` */
export function fetchLimits({ fetchTimeoutMs, fetchLimitBytes }: FetchLimits): FetchLimits {
  const limits = { fetchTimeoutMs, fetchLimitBytes };
  for (const name of ['fetchTimeoutMs', 'fetchLimitBytes'] as const) {
    const value = limits[name];
    if (value === undefined || (Number.isSafeInteger(value) && value > 0 && value <= MOST)) continue;
    const message = errorText`${option(name)} is ${value}; it has to be a whole number of 1 to ${MOST}`;
    throw new Blip2Error('OPTION_INVALID', message);
  }
  return limits;
}

/** The longest that timers wait, and nearly the longest array. */
const MOST = 2 ** 31 - 1;

/**
 * The bytes that a URL answers with.
 * @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_TIMEOUT`, `IMAGE_TOO_LARGE`; the signal's reason when aborted
 */
export async function fetchPicture(url: URL, options: FetchOptions): Promise<Uint8Array> {
  const { signal, onSlow, redirect = 'follow' } = options;
  const { fetchTimeoutMs = DEFAULT_TIMEOUT_MS, fetchLimitBytes = MAX_PICTURE_BYTES } = options;
  const timeout = AbortSignal.timeout(fetchTimeoutMs);
  const name = shortened(url.href);
  const slow = setTimeout(() => onSlow?.(name), SLOW_MS);
  try {
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    const response = await fetch(url, { signal: either, redirect });
    if (!response.ok) {
      await response.body?.cancel();
      const { status } = response;
      throw missingPicture(url.href, `answers with status ${status}`, { details: { status } });
    }
    return await limitedBody(response, name, fetchLimitBytes);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof Blip2Error) throw cause;
    if (timeout.aborted) {
      throw new Blip2Error('IMAGE_TIMEOUT', `${name} is not here after ${fetchTimeoutMs / 1000} s`, {
        hint: errorText`Give it longer with ${option('fetchTimeoutMs')}, or fetch it yourself and name the file.`,
        details: { picture: name, timeoutMs: fetchTimeoutMs },
        cause,
      });
    }
    const { reason, hint } = fetchFailure(cause);
    throw missingPicture(url.href, `cannot be fetched: ${reason}`, { hint, cause });
  } finally {
    clearTimeout(slow);
  }
}

/** Reads no further than the limit, whatever the headers say. */
async function limitedBody({ body, headers }: Response, name: string, limitBytes: number): Promise<Uint8Array> {
  const announced = Number(headers.get('content-length') ?? 0);
  const tooLarge = (): Blip2Error =>
    new Blip2Error('IMAGE_TOO_LARGE', `${name} has more than ${limitBytes} bytes`, {
      hint: errorText`Allow more with ${option('fetchLimitBytes')}, or fetch it yourself and name the file.`,
      details: { picture: name, limitBytes },
    });
  if (announced > limitBytes) {
    await body?.cancel();
    throw tooLarge();
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @param picture its URL, or the text that should be one */
export function missingPicture(
  picture: string,
  what: string,
  { details, ...more }: { readonly details?: object; readonly hint?: string | undefined; readonly cause?: unknown },
): Blip2Error {
  const name = shortened(picture);
  return new Blip2Error('IMAGE_NOT_FOUND', `${name} ${what}`, { details: { picture: name, ...details }, ...more });
}

const shortened = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text);
