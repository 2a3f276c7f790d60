import { decodeByteTokens } from './byte-tokens.js';
import { PrecompiledCharsmap } from './precompiled-charsmap.js';

/** The steps of a `Tokenizer` of @huggingface/tokenizers, whose own types do not resolve. */
export interface TokenizerSteps {
  readonly normalizer: NormalizerStep | null;
  readonly decoder: DecoderStep | null;
}

interface NormalizerStep {
  readonly config: { readonly type: string; readonly precompiled_charsmap?: unknown };
  readonly normalizers?: readonly (NormalizerStep | null)[];
  normalize: (text: string) => string;
}

interface DecoderStep {
  readonly config: { readonly type: string };
  readonly decoders?: readonly (DecoderStep | null)[];
  decode_chain: (tokens: string[]) => string[];
}

/**
 * Has those steps done as tokenizers 0.23 (Rust) does them that @huggingface/tokenizers 0.2 does otherwise
 * (`findings/tokenizers-js-own-charsmap.sh`).
 *
 * @throws Error for a charsmap that cannot be read
 */
export function makeStepsExact({ normalizer, decoder }: TokenizerSteps): void {
  if (normalizer !== null) makeNormalizerExact(normalizer);
  if (decoder !== null) makeDecoderExact(decoder);
}

function makeNormalizerExact(step: NormalizerStep): void {
  for (const inner of step.normalizers ?? []) if (inner !== null) makeNormalizerExact(inner);
  const { type, precompiled_charsmap: encoded } = step.config;
  if (type !== 'Precompiled' || typeof encoded !== 'string') return;
  const charsmap = new PrecompiledCharsmap(Buffer.from(encoded, 'base64'));
  step.normalize = (text) => charsmap.normalize(text);
}

function makeDecoderExact(step: DecoderStep): void {
  for (const inner of step.decoders ?? []) if (inner !== null) makeDecoderExact(inner);
  if (step.config.type === 'ByteFallback') step.decode_chain = decodeByteTokens;
}
