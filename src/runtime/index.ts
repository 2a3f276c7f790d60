/** Captioning pictures with a checkpoint, where a device map says. */
export { createCaptioner, type Captioner } from './captioner.js';
export type {
  Answer,
  Ask,
  Caption,
  CaptionerOptions,
  CaptionHooks,
  CaptionOptions,
  CaptionTiming,
  PictureSource,
} from './captioner-options.js';
export type { GeneratedSequence, TokenEvent } from './generation/generation-request.js';
export type {
  BeamOptions,
  GenerationOptions,
  GreedyOptions,
  SamplingOptions,
} from './generation/generation-options.js';
