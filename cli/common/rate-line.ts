import { formatSize } from '../../src/planner/index.js';
import { ProgressLine } from '../common/progress.js';

/** Progress in bytes, with bytes per second and the time left. */
export class RateLine {
  readonly #line: ProgressLine;
  readonly #startMs = performance.now();

  constructor(enabled: boolean) {
    this.#line = new ProgressLine(enabled);
  }

  update(doneBytes: number, totalBytes: number): void {
    const seconds = (performance.now() - this.#startMs) / 1000;
    const bytesPerSecond = doneBytes / Math.max(seconds, 0.001);
    const left = Math.ceil((totalBytes - doneBytes) / Math.max(bytesPerSecond, 1));
    const percent = Math.floor((100 * doneBytes) / Math.max(totalBytes, 1));
    this.#line.update(
      `${percent} %  ${formatSize(doneBytes)} of ${formatSize(totalBytes)}  ${formatSize(bytesPerSecond)}/s  ${left} s left`,
    );
  }

  clear(): void {
    this.#line.clear();
  }
}
