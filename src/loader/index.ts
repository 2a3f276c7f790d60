/** Reading safetensors checkpoints: strict headers, zero-copy weights. */
export type { Checkpoint, CheckpointWarning, ShardFile } from './checkpoint/checkpoint.js';
export type { StoredTensor } from './format/stored-tensor.js';
export { openCheckpoint } from './open-checkpoint.js';
export { FileSource } from './file/file-source.js';
export { MAX_HEADER_BYTES, readHeader, type ByteSource, type SafetensorsHeader } from './format/read-header.js';
export { SafetensorsError, type SafetensorsErrorCode } from './format/safetensors-error.js';
export { mapTensors, type MapOptions } from './mapping/map-tensors.js';
export type { MappedTensors } from './mapping/mapped-tensors.js';
export { typedArray, type TensorView, type TypedArray } from './mapping/tensor-view.js';
export {
  convertFloats,
  FloatConverter,
  FLOAT_DTYPES,
  isFloatDtype,
  type FloatDtype,
} from './convert/convert-floats.js';
export { KernelMemory } from './convert/kernel-memory.js';
export { BlockQuantizer } from './convert/quantize-blocks.js';
export { materializeTensors, type MaterializedTensors } from './cache/materialize-tensors.js';
export { quantizeCheckpoint, type WeightToQuantize } from './quant/quantize-checkpoint.js';
export { layoutFile, type FileLayout, type LayoutOptions, type PlacedTensor } from './write/file-layout.js';
export { quantizedTensors, type ShardTensor } from './write/shard-tensor.js';
export { writeShard, type WriteOptions } from './write/write-shard.js';
export { nameShards, splitByDevice, splitBySize, type PlannedShard } from './shard/shard-plan.js';
export { writeCheckpoint, type CheckpointWriteOptions, type WrittenCheckpoint } from './shard/write-checkpoint.js';
export type { CheckpointJob } from './shard/planned-shard.js';
export { diffCheckpoints, type DiffOptions, type TensorDifference } from './check/diff-checkpoints.js';
export { hashCheckpoint, type CheckpointHash, type HashOptions } from './check/hash-checkpoint.js';
export { moduleTree, type ModuleNode } from './check/module-tree.js';
export { openForRepair } from './check/repair-checkpoint.js';
export { verifyCheckpoint, type Finding, type Verification, type VerifyOptions } from './check/verify-checkpoint.js';
export { parseSlice, sliceTensor, type SliceItem } from './slice/slice-tensor.js';
export { downloadTensors } from './hub/open-hub-checkpoint.js';
export { listCache, removeCached, type CachedFile } from './cache/list-cache.js';
export type { HubOptions, OpenOptions } from './hub/hub-settings.js';
export { openShared, type SharedTensor } from './mapping/shared-tensor.js';
