/** Who can execute a device map. */
export const ENGINES = ['blip2-run', 'transformers'] as const;

/** Who executes a device map. It decides what "cpu" means, and how beams are prefilled. */
export type Engine = (typeof ENGINES)[number];
