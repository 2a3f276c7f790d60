import type { T5Config } from '../../../../model/t5-config.js';
import { positionBucket } from '../../model/position-buckets.js';
import type { TableRows } from './table-rows.js';

/** T5's positions: what is added to the scores of keys by their distance from the query, for each head. */
export class RelativeBias {
  readonly #config: T5Config;
  /** `[buckets, heads]` */
  readonly #table: TableRows;
  readonly #twoSided: boolean;
  readonly #byDistance = new Map<number, Float32Array>();

  constructor(config: T5Config, table: TableRows, twoSided: boolean) {
    this.#config = config;
    this.#table = table;
    this.#twoSided = twoSided;
  }

  /** `[heads, queries, keys]` for queries from `first` on and keys from 0 on. */
  scores(first: number, queries: number, keys: number): Float32Array {
    const { heads } = this.#config;
    const scores = new Float32Array(heads * queries * keys);
    for (let query = 0; query < queries; query++) {
      for (let key = 0; key < keys; key++) {
        const perHead = this.#ofDistance(key - first - query);
        for (let head = 0; head < heads; head++) {
          scores[(head * queries + query) * keys + key] = perHead[head] ?? 0;
        }
      }
    }
    return scores;
  }

  /** `[heads, keys]`: of the key that is as far behind its query as its place says. */
  behind(keys: number): Float32Array {
    const { heads } = this.#config;
    const scores = new Float32Array(heads * keys);
    for (let distance = 0; distance < keys; distance++) {
      const perHead = this.#ofDistance(-distance);
      for (let head = 0; head < heads; head++) scores[head * keys + distance] = perHead[head] ?? 0;
    }
    return scores;
  }

  #ofDistance(distance: number): Float32Array {
    const known = this.#byDistance.get(distance);
    if (known !== undefined) return known;
    const perHead = this.#table.row(positionBucket(distance, this.#config, this.#twoSided));
    this.#byDistance.set(distance, perHead);
    return perHead;
  }
}
