import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'cli/**/*.test.ts', 'test/**/*.test.ts'],
    // onnxruntime-node aborts when several worker threads of one process load it, so tests run in processes.
    pool: 'forks',
    testTimeout: 30_000,
  },
});
