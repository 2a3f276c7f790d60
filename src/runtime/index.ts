/** Captioning and matching pictures with a checkpoint, where a device map says. */
export { createCaptioner, type Captioner } from './captioner.js';
export { captionPresets } from './caption-presets.js';
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
} from './captioner-options.js';
export type { EngineOptions, ProcessOptions, Progress } from './device-options.js';
export type { GeneratedSequence } from './generation/generation-request.js';
export type {
  BeamOptions,
  GenerationOptions,
  GreedyOptions,
  SamplingOptions,
  StepOptions,
} from './generation/generation-options.js';
export type { PictureSize } from '../model/picture-size.js';
export type { PlacementOptions, PlanningOptions } from './placement.js';
export type { RgbPicture } from './image/rgb-picture.js';
export type { FetchLimits } from './image/fetch-picture.js';
export type { PictureSource } from './image/picture-source.js';
export type { Match, TextEmbedding } from './match-engine.js';
export type { CaptionRequest, CaptionService, ServiceOptions } from './service/caption-service.js';
export { createMatcher, type Matcher, type MatchOptions } from './matcher.js';
export { similarity } from './similarity.js';
