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

/** What reads the tables, once there are files that hold them, for as long as these are read. */
export function languageTables(text: TextConfig, weights: Weights): (files: WeightFiles) => TableReaders {
  const tokens = weights.get(tokenTableName(text, weights));
  const positions = text.family === 'opt' ? weights.get(OPT_POSITIONS) : null;
  const distancesOf = (part: string) => weights.get(`language_model.${part}.${T5_BIAS}`);
  const distances = text.family === 't5' ? { encoder: distancesOf('encoder'), decoder: distancesOf('decoder') } : null;
  return (files) => {
    const rows = (tensor: StoredTensor) =>
      new TableRows(tensor.shape[1] ?? 0, { bytes: files.bytesOf(tensor), dtype: tensor.dtype });
    return {
      tokens: rows(tokens),
      positions: positions === null ? null : rows(positions),
      distances: distances === null ? null : { encoder: rows(distances.encoder), decoder: rows(distances.decoder) },
    };
  };
}
