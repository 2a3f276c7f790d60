import type { TextConfig } from '../../../../model/language-config.js';
import type { TokenSource } from '../../../generation/token-source.js';
import type { GpuFloat } from '../../../graph/gpu/gpu-style.js';
import type { RollingSource } from '../../../generation/rolling-source.js';
import type { DecodingRoom, LanguagePrompt } from '../../model/language-prompt.js';
import { GpuDecoder } from './gpu-decoder.js';
import type { GpuProgram } from '../program/gpu-program.js';
import type { LentRoom } from '../program/lent-room.js';
import { GpuT5 } from './gpu-t5.js';
import type { TableReaders } from './language-tables.js';
import type { ProgramRunParts } from '../program/program-run.js';
import { RelativeBias } from './relative-bias.js';

/** Prompts to logits, on devices. */
export interface LanguageModel extends Disposable {
  /** Whether weights are copied for every run. */
  readonly streams: boolean;
  tokens(prompt: LanguagePrompt): TokenSource;
  /** See `CaptionModel`. */
  reserve?(room: DecodingRoom): void;
  /** See `CaptionModel`. */
  rolling?(room: DecodingRoom): RollingSource<LanguagePrompt> | null;
}

export interface LanguageModelParts extends Omit<ProgramRunParts, 'program'> {
  readonly text: TextConfig;
  readonly tables: TableReaders;
  /** Of what the host gives to the devices. */
  readonly float: GpuFloat;
  /** T5's encoder. */
  readonly prompt: GpuProgram | null;
  readonly token: GpuProgram;
  readonly pictureTokens: number;
  /** Whom the caches' memory is offered to while no sequence is open. */
  readonly offersTo: LentRoom | null;
}

export function openLanguageModel({
  text,
  tables,
  prompt,
  token,
  pictureTokens,
  offersTo,
  ...parts
}: LanguageModelParts): LanguageModel {
  if (text.family !== 't5')
    return new GpuDecoder({ ...parts, program: token, config: text, tables, pictureTokens, offersTo });
  const { tokens, distances } = tables;
  if (prompt === null || distances === null) throw new Error('T5 without an encoder');
  const encoderBias = new RelativeBias(text, distances.encoder, true);
  const decoderBias = new RelativeBias(text, distances.decoder, false);
  return new GpuT5({
    ...parts,
    encoder: prompt,
    program: token,
    config: text,
    tables: { tokens, encoderBias, decoderBias },
    takesTurns: offersTo !== null,
  });
}
