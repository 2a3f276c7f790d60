/** What `blip2-run` may reach GPUs through: memory and speed of the same card differ. */
export const GPU_PROVIDERS = ['cuda', 'webgpu'] as const;

export type GpuProvider = (typeof GPU_PROVIDERS)[number];
