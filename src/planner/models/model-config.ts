/** What the planner reads of any `config.json`; fields of another kind than expected are as good as absent. */
export interface AnyConfig {
  readonly [field: string]: unknown;
}

export function asConfig(json: unknown): AnyConfig {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? { ...json } : {};
}

/** The part of a configuration that describes the language model: of many models all of it. */
export function textConfig(config: AnyConfig): AnyConfig {
  for (const field of ['text_config', 'llm_config', 'language_config', 'thinker_config', 'decoder']) {
    const part = config[field];
    if (typeof part === 'object' && part !== null)
      return field === 'thinker_config' ? textConfig({ ...part }) : { ...part };
  }
  return config;
}

/** The first of these fields that is a positive number. */
export function numberOf(config: AnyConfig, ...fields: readonly string[]): number | null {
  for (const field of fields) {
    const value = config[field];
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  }
  return null;
}

export function stringOf(config: AnyConfig, ...fields: readonly string[]): string | null {
  for (const field of fields) {
    const value = config[field];
    if (typeof value === 'string') return value;
  }
  return null;
}

/** `tie_word_embeddings` of the model, and of its language model; null where one does not say. */
export function tyingOf(config: AnyConfig): [whole: boolean | null, language: boolean | null] {
  const said = ({ tie_word_embeddings: tied }: AnyConfig): boolean | null => (typeof tied === 'boolean' ? tied : null);
  return [said(config), said(textConfig(config))];
}

/** What to know where `tie_word_embeddings` is neither true nor false; else null. */
export function tyingRefusal({ tie_word_embeddings: tied }: AnyConfig): string | null {
  if (tied === undefined || typeof tied === 'boolean') return null;
  return `config.json has tie_word_embeddings as ${JSON.stringify(tied)}, which transformers refuses: it wants true or false.`;
}

const SIZE = /(^|_)(size|dim|heads?|layers?|experts|tok|model|embd|depth|state)$/;

/** What to know of sizes that are text: plans do not read them either. */
export function sizeRefusals(config: AnyConfig, above = ''): string[] {
  return Object.entries(config).flatMap(([field, value]) => {
    // A quantiser's, which has rules of its own.
    if (field === 'quantization_config') return [];
    if (field.endsWith('_config')) return sizeRefusals(asConfig(value), `${above}${field}.`);
    if (typeof value !== 'string' || !SIZE.test(field) || !/^\d+$/.test(value)) return [];
    return [
      `config.json has ${above}${field} as ${JSON.stringify(value)}, which transformers refuses where its class has that field: it wants a whole number.`,
    ];
  });
}

export function architecturesOf({ architectures }: AnyConfig): readonly string[] {
  return Array.isArray(architectures) ? architectures.filter((name) => typeof name === 'string') : [];
}
