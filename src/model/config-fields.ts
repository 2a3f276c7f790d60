/** What the parts of `config.json` have in common. */
import * as z from 'zod';

/** `gelu` is the exact erf form, `gelu_new` the tanh approximation. */
export type Activation = 'gelu' | 'gelu_new' | 'relu' | 'silu';

/** What every language model's configuration says. */
export interface LanguageFields {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly ffnSize: number;
  readonly vocabSize: number;
  readonly activation: Activation;
  readonly bosTokenId: number;
  readonly padTokenId: number;
  readonly eosTokenIds: readonly number[];
}

export const int = z.number().int().nonnegative();
export const positive = z.number().int().positive();

/** BLIP-2's largest parts have 39. */
const MAX_LAYERS = 1024;
export const layers = positive.max(MAX_LAYERS, {
  error: ({ input }) => `${String(input)} layers are more than the ${MAX_LAYERS} that are read`,
});

/** What is added to variances: more than 1 would be no correction. */
export const epsilon = z.number().positive().max(1);

/** Ids of tokens, where one may stand for a list, and null for none. */
export const ids = z.union([int, z.array(int).nonempty(), z.null()]).transform((v) => (v === null ? [] : [v].flat()));

/** Id of padding; the LLaMAs of 2023 have -1 for none. */
export const padding = z.number().int().nullish();

/** Any row will do for padding, which no attention sees. */
export const paddingRow = (id: number | null | undefined): number => (typeof id === 'number' && id >= 0 ? id : 0);

/** For heads of attention, which divide a width among them. */
export function divides(
  widthField: string,
  width: number,
  headsField: string,
  heads: number,
  ctx: z.RefinementCtx,
): void {
  if (width % heads === 0) return;
  ctx.addIssue({
    code: 'custom',
    path: [headsField],
    message: `${heads} heads do not divide ${widthField} ${width}`,
  });
}

/** For ids of tokens, which are rows of a table. */
export function isRow(idField: string, id: number, vocabSize: number, ctx: z.RefinementCtx): void {
  if (id < vocabSize) return;
  ctx.addIssue({ code: 'custom', path: [idField], message: `${id} is not below vocab_size ${vocabSize}` });
}

export const activation = z.string().transform((name, ctx): Activation => {
  switch (name) {
    case 'gelu':
    case 'relu':
    case 'silu':
    case 'gelu_new':
      return name;
    case 'gelu_pytorch_tanh':
    case 'gelu_fast':
      return 'gelu_new';
    case 'swish':
      return 'silu';
    default:
      ctx.addIssue({ code: 'custom', message: `activation "${name}" is not one of gelu, gelu_new, relu, silu` });
      return z.NEVER;
  }
});
