import { availableParallelism, cpus } from 'node:os';

/** The processor, and how many threads it runs at once. */
export function hostName(): string {
  return `${cpus()[0]?.model.trim() ?? process.arch}, ${availableParallelism()} threads`;
}
