import { defineConfig } from 'vitest/config';

const LIMIT_MS = 600_000;

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'cli/**/*.test.ts', 'test/**/*.test.ts'],
    // onnxruntime-node aborts when several worker threads of one process load it, so tests run in processes.
    pool: 'forks',
    // For what hangs, not for what is slow: these machines may have other work. A hook that is given up takes its file's tests
    // with it, as skipped.
    testTimeout: LIMIT_MS,
    hookTimeout: LIMIT_MS,
    teardownTimeout: LIMIT_MS,
    expect: { poll: { timeout: LIMIT_MS } },
  },
});
