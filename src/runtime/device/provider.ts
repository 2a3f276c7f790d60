/** What a person may ask models to run on. `auto` is the best of the others that works here. */
export const PROVIDERS = ['auto', 'cuda', 'webgpu', 'cpu'] as const;

export type Provider = (typeof PROVIDERS)[number];

/** A device that a provider reaches. */
export interface ProviderDevice {
  readonly name: string;
  /** null where the system does not tell. */
  readonly memoryBytes: number | null;
  readonly freeBytes: number | null;
}

/** Whether a provider works on this machine, and why not. */
export type ProviderAnswer =
  | { readonly works: true; readonly devices: readonly ProviderDevice[] }
  | { readonly works: false; readonly reason: string };

/** The same where only their number counts. */
export type ProviderCount =
  { readonly works: true; readonly count: number } | Extract<ProviderAnswer, { readonly works: false }>;
