/** What the parts of `config.json` have in common. */
import * as z from 'zod';

/** `gelu` is the exact erf form, `gelu_new` the tanh approximation. */
export type Activation = 'gelu' | 'gelu_new' | 'relu' | 'silu';

export const int = z.number().int().nonnegative();
export const positive = z.number().int().positive();

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
