/** Who executes a device map. It decides what "cpu" means, and how beams are prefilled. */
export type Engine = 'blip2-run' | 'transformers';
