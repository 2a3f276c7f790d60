import { ortApi, type Pointer } from './ort-api.js';

/** A session, the options of a run and a binding, by their addresses; null ends the thread. */
export type RunRequest = { readonly session: Pointer; readonly options: Pointer; readonly binding: Pointer } | null;

/** null for a run that went well, else ONNX Runtime's own words. */
export type RunReply = { readonly failure: string | null };

export function runBinding({ session, options, binding }: Exclude<RunRequest, null>): RunReply {
  try {
    ortApi().call('RunWithBinding', session, options, binding);
    return { failure: null };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
