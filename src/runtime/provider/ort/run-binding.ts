import { ortApi } from './ort-api.js';
import type { RunReply, RunRequest } from './run-thread.js';

export function runBinding({ session, options, binding }: Exclude<RunRequest, null>): RunReply {
  try {
    ortApi().call('RunWithBinding', session, options, binding);
    return { failure: null };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
