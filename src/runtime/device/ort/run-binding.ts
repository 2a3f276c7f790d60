import { ortApi, type Pointer } from './ort-api.js';

/** A session, the options of a run and a binding, by their addresses. */
export interface RunRequest {
  readonly session: Pointer;
  readonly options: Pointer;
  readonly binding: Pointer;
}

/** Whoever runs bindings in another thread. */
export interface BindingRunner {
  /** @throws Blip2Error `ORT_FAILED` */
  run(request: RunRequest): Promise<void>;
}

export function runBinding({ session, options, binding }: RunRequest): void {
  ortApi().call('RunWithBinding', session, options, binding);
}
