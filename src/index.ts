/** The whole library. `./planner` alone is pure and runs in a browser; `./loader` needs Node; `./runtime` needs onnxruntime-node. */
export * from './planner/index.js';
export * from './loader/index.js';
export * from './runtime/index.js';
