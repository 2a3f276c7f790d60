import { columnsOf } from './columns.js';

/**
 * One live line on stderr while a person watches; where stderr is not a terminal, nothing but the end result is
 * written, so that logs hold no cursor codes.
 */
export class ProgressLine {
  readonly #live: boolean;
  #lastDrawnMs = 0;
  #drawn = false;

  constructor(enabled: boolean) {
    this.#live = enabled && process.stderr.isTTY;
  }

  /** Redraws at most ten times a second. */
  update(text: string): void {
    const nowMs = performance.now();
    if (!this.#live || nowMs - this.#lastDrawnMs < 100) return;
    this.#lastDrawnMs = nowMs;
    this.#drawn = true;
    process.stderr.write(`\r\u001b[2K${text.slice(0, columnsOf(process.stderr) - 1)}`);
  }

  /** Wipes the line, so that what is written next starts on a clean one. */
  clear(): void {
    if (this.#drawn) process.stderr.write('\r\u001b[2K');
    this.#drawn = false;
  }
}
