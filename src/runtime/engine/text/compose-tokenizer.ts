import { contentOf, fieldsOf, rulesOf, type Fields } from './class-rules.js';

/**
 * A tokenizer as transformers 5.24 makes it of both of its files: by the rules of its class, where it has some, and with the tokens
 * that either file adds to the vocabulary. Ids stated for those do not count: they have those of the vocabulary, or
 * come behind it one by one.
 * @param file parsed `tokenizer.json`
 * @param config parsed `tokenizer_config.json`
 * @param added special tokens that come behind all others
 * @returns a `tokenizer.json`
 */
export function composeTokenizer(file: Fields, config: Fields, added: readonly string[] = []): Fields {
  const rules = rulesOf(file, config);
  const inFile = listOf(file['added_tokens']);
  const tokens = new AddedTokens(file, rules === null ? inFile : []);
  const stated = statedTokens(config) ?? inFile;
  const padding = { pad_token: fieldsOf(file['padding'])['pad_token'] };
  const named = namedTokens({ ...padding, ...rules?.names, ...config });
  const names = new Set(named.map(({ content }) => content));
  for (const { id: _, ...token } of stated) tokens.put(names.has(token.content) ? { ...token, special: true } : token);
  const extra = listOf(extraTokens(config) ?? rules?.extra?.(config));
  for (const token of [...named, ...extra]) if (!tokens.has(token)) tokens.put(token);
  for (const token of listOf(added)) tokens.put(token);
  return { ...file, ...rules?.parts(file, config), added_tokens: tokens.list };
}

/** A token that is looked for in a text before the tokenizer's model is asked. */
interface AddedToken extends Fields {
  readonly content: string;
}

class AddedTokens {
  readonly #byContent = new Map<string, AddedToken & { readonly id: number }>();
  readonly #idOf: (content: string) => number | undefined;
  #next: number;

  constructor(file: Fields, tokens: readonly AddedToken[]) {
    const { size, idOf } = vocabularyOf(file);
    this.#idOf = idOf;
    this.#next = size;
    for (const token of tokens) this.put(token);
  }

  get list(): AddedToken[] {
    return [...this.#byContent.values()];
  }

  has({ content }: AddedToken): boolean {
    return this.#byContent.has(content);
  }

  /** In place of the one with its content, whose id it gets. */
  put(token: AddedToken): void {
    const id = this.#byContent.get(token.content)?.id ?? this.#idOf(token.content) ?? this.#next;
    this.#byContent.set(token.content, { ...token, id });
    this.#next = Math.max(this.#next, id + 1);
  }
}

interface Vocabulary {
  readonly size: number;
  readonly idOf: (content: string) => number | undefined;
}

/** Unigram lists its tokens with their scores; their ids are their places. Fifty thousand are not copied for the few that are asked for. */
function vocabularyOf({ model }: Fields): Vocabulary {
  const { vocab } = fieldsOf(model);
  if (Array.isArray(vocab)) {
    const ids = new Map(vocab.map((entry: unknown, id) => [String([entry].flat()[0]), id]));
    return { size: vocab.length, idOf: (content) => ids.get(content) };
  }
  const ids = fieldsOf(vocab);
  return {
    size: Object.keys(ids).length,
    idOf: (content) => (Object.hasOwn(ids, content) ? Number(ids[content]) : undefined),
  };
}

/** In the order of the ids that they are stated with; null where the file states none. */
function statedTokens({ added_tokens_decoder: stated }: Fields): AddedToken[] | null {
  if (stated === undefined) return null;
  const byId = Object.entries(fieldsOf(stated)).toSorted(([a], [b]) => Number(a) - Number(b));
  return listOf(byId.map(([, token]) => token));
}

/** Those that every tokenizer knows. */
export const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** Those that every tokenizer knows, then those of a model's own, such as `image_token`. */
function namedTokens({ extra_special_tokens: extra, ...config }: Fields): AddedToken[] {
  const all = { ...config, ...fieldsOf(extra) };
  const own = Object.keys(all).filter(
    (name) => (name.endsWith('_token') || name in fieldsOf(extra)) && !NAMES.includes(name),
  );
  return listOf([...NAMES, ...own].map((name) => all[name])).map((token) => ({ ...token, special: true }));
}

/** undefined where nothing is said: an empty list, or null for one, is something. */
function extraTokens({ extra_special_tokens: extra, additional_special_tokens: older }: Fields): unknown {
  if (Array.isArray(extra) && extra.length > 0) return extra;
  if (older !== undefined) return older ?? [];
  return Array.isArray(extra) || extra === null ? [] : undefined;
}

/** @param values contents, or tokens with their properties; others are left out */
function listOf(values: unknown): AddedToken[] {
  if (!Array.isArray(values)) return [];
  return values.flatMap((value: unknown) => {
    const content = contentOf(value);
    if (content === null || content === '') return [];
    return typeof value === 'string' ? { content, special: true, normalized: false } : { ...fieldsOf(value), content };
  });
}
