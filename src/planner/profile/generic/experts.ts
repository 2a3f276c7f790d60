/** Experts that tokens are routed to. */
import { numberOf, type AnyConfig } from '../../models/model-config.js';

/** Merged or not, the weights of experts: of these a token takes a few. */
export const EXPERTS = /(^|\.)(experts|routed_experts)(\.|$)/;

export interface Experts {
  readonly all: number;
  /** Of these, for one token. */
  readonly chosen: number;
}

export function expertsOf(text: AnyConfig): Experts | null {
  const all = numberOf(text, 'num_local_experts', 'num_experts', 'n_routed_experts', 'moe_num_experts');
  const chosen = numberOf(text, 'num_experts_per_tok', 'moe_k', 'top_k_experts', 'moe_topk', 'num_experts_per_token');
  return all === null || chosen === null ? null : { all, chosen: Math.min(chosen, all) };
}
