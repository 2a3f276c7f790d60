/** Captioning and matching pictures with a checkpoint, where a device map says. */
export { createCaptioner, type Captioner } from './captioner/captioner.js';
export { captionPresets } from './engine/caption-presets.js';
export type {
  Answer,
  AnswerToken,
  Ask,
  Caption,
  CaptionAllOptions,
  CaptionerOptions,
  CaptionHooks,
  CaptionOptions,
  CaptionTiming,
  Outcome,
  Picture,
} from './engine/captioner-options.js';
export type { EngineOptions, ProcessOptions, Progress } from './device/device-options.js';
export type { GeneratedSequence } from './generation/generation-request.js';
export type {
  BeamOptions,
  GenerationOptions,
  GreedyOptions,
  SamplingOptions,
  StepOptions,
} from './generation/generation-options.js';
export type { PictureSize } from '../model/picture-size.js';
export type { PlacementOptions, PlanningOptions } from './placement/placement.js';
export type { RgbPicture } from './image/rgb-picture.js';
export type { FetchLimits } from './image/fetch-picture.js';
export type { PictureSource } from './image/picture-source.js';
export type { Match, TextEmbedding } from './engine/match-engine.js';
export type { CaptionRequest, CaptionService, ServiceOptions } from './captioner/service/caption-service.js';
export { createMatcher, type Matcher, type MatchOptions } from './captioner/matcher.js';
export { similarity } from './engine/similarity.js';
