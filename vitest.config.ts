import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const LIMIT_MS = 600_000;

/**
 * Tests that change their process, or watch what becomes of others: each file has one of its own. All other files take turns in
 * as many as run at once: a process for each, which imports it all anew, took 40 of the 154 seconds of CPU of 119 of them.
 */
const APART = 'test/{gpu,page,queue,runtime,serve}/**/*.test.ts';
/** Tests that start the built commands. */
const COMMANDS = 'test/cli/**/*.test.ts';

/**
 * Vite keeps what a module exports in an object without a prototype, which V8 makes a hash table, asked at every call. Once it is a
 * prototype itself it has fields: twelve plans for two cards take 5.7 seconds of CPU, as outside of Vitest, in the place of 10.3.
 */
const fieldsForExports: Plugin = {
  name: 'fields-for-exports',
  transform: (code, id) => (/\.tsx?$/.test(id) ? `${code}\n;Object.create(__vite_ssr_exports__).x;\n` : null),
};

export default defineConfig({
  plugins: [fieldsForExports],
  test: {
    // onnxruntime-node aborts when several worker threads of one process load it, so tests run in processes.
    pool: 'forks',
    // By default Vitest leaves one core to itself, which is half of two. A file then takes 1.5 to 1.9 times as long, and all of them four fifths.
    maxWorkers: '100%',
    // Projects begin in the order of their names: what takes long first, so that cores are busy to the end.
    projects: [
      { extends: true, test: { name: 'apart', include: [APART] } },
      { extends: true, test: { name: 'commands', include: [COMMANDS], isolate: false } },
      {
        extends: true,
        test: {
          name: 'others',
          include: ['src/**/*.test.ts', 'cli/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['node_modules', APART, COMMANDS],
          isolate: false,
        },
      },
    ],
    // For what hangs, not for what is slow: these machines may have other work. A hook that is given up takes its file's tests
    // with it, as skipped.
    testTimeout: LIMIT_MS,
    hookTimeout: LIMIT_MS,
    teardownTimeout: LIMIT_MS,
    expect: { poll: { timeout: LIMIT_MS } },
  },
});
