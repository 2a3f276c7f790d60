/** `blip2-device-map/planner`: pure, also in a browser. Tensors and budgets in, the fastest placement that fits out. */
export { needsIntegerSolver } from './plan/request/needs-integer-solver.js';
export { ERROR_CODES, type ErrorCode } from '../error-codes.js';
export { Blip2Error } from '../errors.js';
export { parseBlip2Config, type Blip2Config } from '../model/blip2-config.js';
export { blip2Tensors, type Blip2TensorOptions } from '../model/blip2-tensors.js';
export { DEFAULT_PRESET, PRESETS, type Preset } from '../model/presets.js';
export { deviceOf, type Device, type DeviceMap } from './map/device-map.js';
export { parseDeviceMap } from './map/parse-device-map.js';
export { type MapIssue } from './plan/comparison/validate-device-map.js';
export { type Budgets } from './plan/request/budgets.js';
export { type DeviceShare, type Infeasible, type Remedy } from './plan/choice/infeasible.js';
export type { PlanOptions } from './plan/request/plan-options.js';
export { estimateModel, type Estimate, type EstimateRow } from './plan/comparison/estimate-model.js';
export { diffPlans, type PlanDiff } from './plan/comparison/diff-plans.js';
export { explainMap, type MapExplanation } from './plan/comparison/explain-map.js';
export { largestBatch, sweepBudgets, type SweepPoint, type SweepRange } from './plan/comparison/sweep.js';
export { autoBatches, planForBatches } from './plan/plan-for-batches.js';
export { ortAssignment } from './report/ort-assignment.js';
export { pythonSnippet } from './report/python-snippet.js';
export { svgPicture, type PictureOptions } from './report/svg-picture.js';
export { type Measurement } from './report/svg/measured-comparison.js';
export { textPicture, type TextPictureOptions } from './report/text-picture.js';
export { transformersStrategy, type StrategyInput } from './plan/comparison/transformers-strategy.js';
export { planDeviceMap, type PlanResult } from './plan/plan-device-map.js';
export {
  PLAN_SCHEMA,
  parsePlan,
  planJsonSchema,
  type Crossing,
  type AccuracyNote,
  type DeviceMemory,
  type Placement,
  type PlanCost,
  type PlanDocument,
  type SolverReport,
} from './plan/document/plan-document.js';
export { OBJECTIVES, type CheckpointIdentity, type Objective } from './plan/request/plan-options.js';
export { parseMachineProfile, type GpuProfile, type HostProfile, type MachineProfile } from './price/device-profile.js';
export { findCard, type FoundCard } from './price/find-card.js';
export { KNOWN_GPUS, UNKNOWN_GPU, UNKNOWN_HOST } from './price/known-devices.js';
export {
  type IntegerAnswer,
  type IntegerLimits,
  type IntegerProgram,
  type IntegerSolver,
} from './solve/program/integer-program.js';
export { LOAD_DTYPES, type LoadDtype } from '../tensor/load-dtype.js';
export { type Engine } from './map/engine.js';
export { DEFAULT_WORKLOAD, type Workload } from './profile/workload/workload.js';
export { formatSize, parseSize } from '../size.js';
export { type QuantScheme } from '../tensor/quantized.js';
export { type TensorInfo, type TensorTable } from '../tensor/tensor-info.js';
