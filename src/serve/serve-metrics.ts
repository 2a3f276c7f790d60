import type { ErrorCode } from '../error-codes.js';
import { CaptionMetrics } from '../metrics/caption-metrics.js';
import { Metrics } from '../metrics/metrics.js';
import type { Caption } from '../runtime/engine/captioner-options.js';

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** What a server tells of its work. */
export class ServeMetrics {
  readonly #metrics = new Metrics();
  readonly #captions = new CaptionMetrics(this.#metrics);
  readonly #requests = this.#metrics.counter('blip2_requests_total', 'Requests answered, by status and error code.');
  readonly #tokens = this.#metrics.counter('blip2_tokens_total', 'Tokens that were read and made.');
  readonly #restarts = this.#metrics.counter('blip2_model_restarts_total', 'Models that ended and were started again.');
  readonly #seconds = this.#metrics.histogram(
    'blip2_request_seconds',
    'From the head of a request for a caption to the end of its answer.',
    SECONDS,
  );
  readonly #firstToken = this.#metrics.histogram(
    'blip2_first_token_seconds',
    'From the head of a request that is streamed to the first token of its answer.',
    SECONDS,
  );

  /** @param open how many requests for captions have no answer yet */
  constructor(open: () => number) {
    this.#metrics.gauge('blip2_requests_open', 'Requests for captions that have no answer yet.', () => [[open()]]);
    this.#restarts.add(0);
  }

  answered(status: number, code: ErrorCode | null): void {
    this.#requests.add(1, { status: String(status), code: code ?? '' });
    if (code !== null && (code.startsWith('IMAGE_') || code === 'LOGITS_NOT_FINITE')) this.#captions.record('failed');
  }

  began(seconds: number): void {
    this.#firstToken.observe(seconds);
  }

  captioned({ promptTokens, answers, timing }: Caption, seconds: number): void {
    this.#captions.captioned(timing);
    this.#captions.record('captioned');
    this.#tokens.add(promptTokens, { kind: 'prompt' });
    this.#tokens.add(answers[0]?.ids.length ?? 0, { kind: 'new' });
    this.#seconds.observe(seconds);
  }

  restarted(): void {
    this.#restarts.add(1);
  }

  text(): Promise<string> {
    return this.#metrics.text();
  }
}
