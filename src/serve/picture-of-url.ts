import { Blip2Error } from '../errors.js';
import { fetchPicture } from '../runtime/image/fetch-picture.js';
import { badField } from './api/api-error.js';
import { bytesOfDataUrl } from './api/data-url.js';

export interface FetchRules {
  /** Those that pictures may be fetched from, such as `https://photos.example`; none where it is empty. */
  readonly origins: readonly string[];
  readonly limitBytes: number;
  readonly timeoutMs: number;
}

/**
 * The bytes of a picture that a request names. A server that fetched whatever it is told to would reach for others what they
 * cannot reach themselves: only origins that were allowed are asked, and none that they redirect to.
 * @throws Blip2Error `REQUEST_INVALID`, `IMAGE_NOT_FOUND`, `IMAGE_TIMEOUT`, `IMAGE_TOO_LARGE`; the signal's reason
 */
export async function pictureOfUrl(
  url: string,
  { origins, limitBytes, timeoutMs }: FetchRules,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const param = 'messages';
  if (/^data:/i.test(url)) return bytesOfDataUrl(url, param);
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw badField(param, 'the picture is no URL of data:, http: or https:', 'Send it as data:image/jpeg;base64,...');
  }
  if (!origins.includes(parsed.origin) || parsed.username !== '' || parsed.password !== '') {
    throw new Blip2Error('IMAGE_ORIGIN', `pictures are not fetched from ${parsed.origin} here`, {
      hint: 'Send the picture itself, as data:image/jpeg;base64,..., or allow its origin with --image-origin.',
      details: { param },
    });
  }
  const limits = { fetchLimitBytes: limitBytes, fetchTimeoutMs: timeoutMs };
  return fetchPicture(parsed, { ...limits, signal, redirect: 'error' });
}
