import type { CaptionTiming } from '../runtime/engine/captioner-options.js';
import type { Counter, Metrics } from './metrics.js';

/** What every program that captions counts. */
export class CaptionMetrics {
  readonly #pictures: Counter;
  readonly #seconds: Counter;

  constructor(metrics: Metrics) {
    this.#pictures = metrics.counter('blip2_pictures_total', 'Pictures by what became of them.');
    this.#seconds = metrics.counter(
      'blip2_stage_seconds_total',
      'Seconds by stage, for the pictures that went through it together: pixels, image, generate.',
    );
    metrics.gauge('blip2_process_resident_bytes', 'Memory of this process, without that of the model.', () => [
      [process.memoryUsage.rss()],
    ]);
    metrics.gauge('blip2_device_free_bytes', 'Free memory of each CUDA card.', freeOfCards);
  }

  captioned({ pixelsMs, imageMs, generateMs }: CaptionTiming): void {
    this.#seconds.add(pixelsMs / 1000, { stage: 'pixels' });
    this.#seconds.add(imageMs / 1000, { stage: 'image' });
    this.#seconds.add(generateMs / 1000, { stage: 'generate' });
  }

  record(outcome: 'captioned' | 'failed' | 'skipped'): void {
    this.#pictures.add(1, { outcome });
  }
}

async function freeOfCards() {
  const { cudaCards, freeCudaBytes } = await import('../runtime/device/cuda-provider.js');
  return cudaCards().flatMap(({ name }, device) => {
    const free = freeCudaBytes(device);
    return free === null ? [] : [[free, { device: String(device), name }] as const];
  });
}
