/** Tensors that a few layers of a list lack and all others of their kind have: transformers makes those up. */
import type { AnyConfig } from './model-config.js';

/** A tensor that no file holds, and the one of another layer that it is like. */
export interface LayerHole {
  readonly name: string;
  readonly like: string;
}

/** A member of a list: of a model's layers, say. */
export type ListEnd = 'first' | 'last';
export const LIST_ENDS: readonly ListEnd[] = ['first', 'last'];

export interface LayerList {
  /** Of the names of its members. */
  readonly start: string;
  /** Ends that do without something by design, such as ModernBERT's first layer without its first norm. */
  readonly lesserEnds: readonly ListEnd[];
}

/** Fewer alike say nothing of one that differs. */
const ENOUGH = 4;
/** Of the layers of a kind. Lists in which more differ are made so: shared keys and values, attention to pictures in some layers. */
const FEW = 0.1;

/**
 * @param members number of a layer -> its tensors, those of ties among them
 * @param part of the configuration, that may say of which kind each is
 */
export function holesIn(
  members: ReadonlyMap<number, readonly string[]>,
  { layer_types: kinds }: AnyConfig,
  { start, lesserEnds }: LayerList,
): LayerHole[] {
  const kindOf = (at: number): unknown => (Array.isArray(kinds) ? kinds[at] : undefined);
  const numbers = [...members.keys()];
  const ends = { first: Math.min(...numbers), last: Math.max(...numbers) };
  const lesser = new Set(lesserEnds.map((end) => ends[end]));
  return [...new Set([...members.keys()].map(kindOf))].flatMap((kind) => {
    const alike = [...members].filter(([at]) => kindOf(at) === kind);
    if (alike.length < ENOUGH) return [];
    const holders = new Map<string, number[]>();
    for (const [at, names] of alike) {
      for (const name of names) {
        const leaf = name.slice(name.indexOf('.', start.length));
        const known = holders.get(leaf);
        if (known === undefined) holders.set(leaf, [at]);
        else known.push(at);
      }
    }
    // What has tensors that most have not is of a kind of its own, such as a mixture of experts amidst others.
    const odd = new Set([...holders.values()].flatMap((holding) => (2 * holding.length > alike.length ? [] : holding)));
    return [...holders].flatMap(([leaf, holding]): LayerHole[] => {
      const [like = 0] = holding;
      const has = new Set(holding);
      const lacking = alike.map(([at]) => at).filter((at) => !has.has(at));
      if (lacking.length > Math.max(1, FEW * alike.length)) return [];
      if (lacking.some((at) => lesser.has(at) || odd.has(at))) return [];
      return lacking.map((at) => ({ name: start + String(at) + leaf, like: start + String(like) + leaf }));
    });
  });
}

export function holesNote(holes: readonly LayerHole[]): string {
  const [first] = holes;
  const more = holes.length === 1 ? '' : ` and ${holes.length - 1} more`;
  return (
    `The files lack ${first?.name ?? ''}${more}, which the other layers have: ` +
    'transformers makes up what is lacking, at random; this plan counts it.'
  );
}
