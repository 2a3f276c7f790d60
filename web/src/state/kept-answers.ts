import { settingsHash } from '../settings/settings-hash.js';
import type { Settings } from '../settings/settings.js';
import type { ShownAnswer } from './page-state.js';

const MOST = 64;

/** The last answers by what was asked: a slider goes back as often as forth. */
export class KeptAnswers {
  readonly #answers = new Map<string, ShownAnswer>();

  of(settings: Settings): ShownAnswer | undefined {
    return this.#answers.get(settingsHash(settings));
  }

  keep(settings: Settings, shown: ShownAnswer): void {
    const key = settingsHash(settings);
    this.#answers.delete(key);
    this.#answers.set(key, shown);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > MOST && oldest !== undefined) this.#answers.delete(oldest);
  }

  clear(): void {
    this.#answers.clear();
  }
}
