/** The sessions of a program's graphs, in this thread or in one that runs the program aside. */
import { Blip2Error } from '../../../../errors.js';
import { namedOutOfMemory } from '../../../device/memory/out-of-memory.js';
import { OrtSession, type BindableSession } from '../../../device/ort/ort-session.js';
import type { RunThread } from '../../../device/thread/run-thread.js';
import type { EngineDevice, SessionKind } from '../device/engine-device.js';
import type { GpuStage } from '../units/gpu-units.js';

export interface ProgramSessionsParts {
  /** See `SessionKind`. */
  readonly roundsFactors: boolean;
  /** Devices whose sessions share an arena. */
  readonly sharing: ReadonlySet<EngineDevice>;
  /** What holds the sessions, where that is not this thread. */
  readonly thread?: RunThread | undefined;
}

export class ProgramSessions implements Disposable {
  readonly #parts: ProgramSessionsParts;
  readonly #sessions = new Map<GpuStage, BindableSession>();
  readonly #own: OrtSession[] = [];
  /** Those of which the provider opened none that records. */
  readonly #unrecorded = new Set<GpuStage>();

  constructor(parts: ProgramSessionsParts) {
    this.#parts = parts;
  }

  /**
   * Once for each graph. One that cannot be recorded, such as one of which the CPU computes a part beside WebGPU, is not recorded.
   * @throws Blip2Error `OUT_OF_MEMORY`, `ORT_FAILED`
   */
  async open(stage: GpuStage, device: EngineDevice, isRecorded: boolean): Promise<void> {
    if (this.#sessions.has(stage)) return;
    try {
      this.#sessions.set(stage, await this.#start(stage, device, isRecorded));
    } catch (error) {
      if (!isRecorded || !(error instanceof Blip2Error) || error.code !== 'ORT_FAILED') throw error;
      this.#unrecorded.add(stage);
      this.#sessions.set(stage, await this.#start(stage, device, false));
    }
  }

  async #start(stage: GpuStage, device: EngineDevice, isRecorded: boolean): Promise<BindableSession> {
    const { roundsFactors, sharing, thread } = this.#parts;
    const kind: SessionKind = { isRecorded, roundsFactors, sharesArena: sharing.has(device) };
    const options = device.sessionOptions(kind);
    const { ops, ...others } = options;
    const model = stage.model();
    try {
      if (thread !== undefined) {
        // Operators are the thread's own.
        const opsOfCard = ops === undefined ? null : (device.card ?? null);
        return await thread.open({ model, options: others, opsOfCard });
      }
      device.memory.enter();
      const session = new OrtSession(model, options);
      this.#own.push(session);
      return session;
    } catch (error) {
      throw namedOutOfMemory(error, device.memory);
    }
  }

  of(stage: GpuStage): BindableSession {
    const session = this.#sessions.get(stage);
    if (session === undefined) throw new Error('a unit without a session');
    return session;
  }

  mayRecord(stage: GpuStage): boolean {
    return !this.#unrecorded.has(stage);
  }

  /** A thread's own end with it. */
  [Symbol.dispose](): void {
    for (const session of this.#own.splice(0)) session[Symbol.dispose]();
    this.#sessions.clear();
  }
}
