import { defineConfig } from 'vitest/config';

const LIMIT_MS = 600_000;

/** Tests of code that keeps nothing. A process for each file, which imports it all anew, took two fifths of their CPU time. */
const PURE = 'src/{planner,model,tensor,metrics}/**/*.test.ts';

export default defineConfig({
  test: {
    // onnxruntime-node aborts when several worker threads of one process load it, so tests run in processes.
    pool: 'forks',
    // By default Vitest leaves one core to itself, which is half of two. A file then takes 1.5 to 1.9 times as long, and all of them four fifths.
    maxWorkers: '100%',
    // Projects begin in the order of their names: what takes long first, so that cores are busy to the end.
    projects: [
      {
        extends: true,
        test: {
          name: 'apart',
          include: ['src/**/*.test.ts', 'cli/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['node_modules', PURE],
        },
      },
      { extends: true, test: { name: 'pure', include: [PURE], isolate: false } },
    ],
    // For what hangs, not for what is slow: these machines may have other work. A hook that is given up takes its file's tests
    // with it, as skipped.
    testTimeout: LIMIT_MS,
    hookTimeout: LIMIT_MS,
    teardownTimeout: LIMIT_MS,
    expect: { poll: { timeout: LIMIT_MS } },
  },
});
