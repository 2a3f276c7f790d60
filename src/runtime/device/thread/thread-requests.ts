/** What a `RunThread` is asked for, and what it answers. */
import type { OrtSessionOptions } from '../ort/ort-session.js';
import type { Pointer } from '../ort/ort-api.js';
import type { RunRequest } from '../ort/run-binding.js';

export interface OpenRequest {
  readonly model: Uint8Array;
  readonly options: Omit<OrtSessionOptions, 'ops'>;
  /** The CUDA card whose operators of our own the graph may have; null: none. */
  readonly opsOfCard: number | null;
}

/** null ends the thread, and the sessions that it opened. */
export type ThreadRequest =
  { readonly kind: 'run'; readonly run: RunRequest } | { readonly kind: 'open'; readonly open: OpenRequest } | null;

/** A session, where one was opened; ONNX Runtime's own words, where something failed. */
export type ThreadReply = { readonly failure: null; readonly session: Pointer | null } | { readonly failure: string };
