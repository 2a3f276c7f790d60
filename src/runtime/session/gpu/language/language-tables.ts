/** Tables of a language model that the host looks rows up in, so that no device holds them. */
import type { StoredTensor } from '../../../../loader/format/stored-tensor.js';
import type { TextConfig } from '../../../../model/language-config.js';
import { tokenTableName } from '../../../graph/vocabulary.js';
import type { Weights } from '../../../graph/weights.js';
import { TableRows } from './table-rows.js';
import type { WeightFiles } from '../weights/weight-files.js';

const OPT_POSITIONS = 'language_model.model.decoder.embed_positions.weight';
const T5_BIAS = 'block.0.layer.0.SelfAttention.relative_attention_bias.weight';

export interface TableReaders {
  readonly tokens: TableRows;
  /** OPT's table of positions, whose first two rows belong to padding. */
  readonly positions: TableRows | null;
  /** T5's tables of distances, `[buckets, heads]`. */
  readonly distances: { readonly encoder: TableRows; readonly decoder: TableRows } | null;
}

export class LanguageTables {
  readonly #tokens: StoredTensor;
  readonly #positions: StoredTensor | null;
  readonly #distances: { readonly encoder: StoredTensor; readonly decoder: StoredTensor } | null;

  constructor(text: TextConfig, weights: Weights) {
    this.#tokens = weights.get(tokenTableName(text, weights));
    this.#positions = text.family === 'opt' ? weights.get(OPT_POSITIONS) : null;
    const distances = (part: string) => weights.get(`language_model.${part}.${T5_BIAS}`);
    this.#distances = text.family === 't5' ? { encoder: distances('encoder'), decoder: distances('decoder') } : null;
  }

  /** @param files that hold the tables, for as long as these are read */
  read(files: WeightFiles): TableReaders {
    const rows = (tensor: StoredTensor) =>
      new TableRows(tensor.shape[1] ?? 0, { bytes: files.bytesOf(tensor), dtype: tensor.dtype });
    const distances = this.#distances;
    return {
      tokens: rows(this.#tokens),
      positions: this.#positions === null ? null : rows(this.#positions),
      distances: distances === null ? null : { encoder: rows(distances.encoder), decoder: rows(distances.decoder) },
    };
  }
}
