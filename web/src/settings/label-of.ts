import type { OptionName } from '../../../src/error-text.js';

/** Options of the library -> the fields of the page that set them. */
const LABELS: Partial<Readonly<Record<OptionName, string>>> = {
  allowQuant: '“Quantise, if it pays”',
  dtype: '“Dtype”',
  newTokens: '“New tokens”',
  promptTokens: '“Prompt tokens”',
  timeLimitMs: '“Search”',
};

/** How the page calls an option: one that it has no field for is the library's. */
export const labelOf = (option: OptionName): string => LABELS[option] ?? option;
