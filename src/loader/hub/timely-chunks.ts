import type { HubSettings } from './hub-settings.js';
import { noticeWait, seconds } from './notice-wait.js';

/** What has to come within the time limit: a byte now and then is no download. */
export const LEAST_BYTES = 1024;

/**
 * The chunks of a body as they come.
 * @throws Error where less than `LEAST_BYTES` come within the time limit; the signal's reason
 */
export async function* timelyChunks(
  body: ReadableStream<Uint8Array>,
  settings: Pick<HubSettings, 'signal' | 'timeoutMs' | 'onWait'>,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal, timeoutMs } = settings;
  const reader = body.getReader();
  let isLate = false;
  // A read that is waiting ends with it.
  const stop = (): void => void reader.cancel().catch(() => undefined);
  const timer = setTimeout(() => {
    isLate = true;
    stop();
  }, timeoutMs);
  signal?.addEventListener('abort', stop);
  let since = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      using _notice = noticeWait(settings, `${what}: waiting for more`);
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (isLate) throw new Error(`less than ${LEAST_BYTES} bytes within ${seconds(timeoutMs)} s`);
      if (done) return;
      since += value.length;
      if (since >= LEAST_BYTES) {
        since = 0;
        timer.refresh();
      }
      yield value;
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    stop();
  }
}
