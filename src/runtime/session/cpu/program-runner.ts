/** Runs a program: one session per stage, one stage after the other, wires by name. */
import '../../onnx/no-telemetry.js';
import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { wireOfOutput } from '../../graph/stage-builder.js';
import type { Stage } from '../../graph/program.js';
import { namedHostOutOfMemory } from '../../device/memory/out-of-memory.js';
import { wireOf, type Wires } from '../model/kv-cache.js';

interface StageSession {
  readonly session: InferenceSession;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export class ProgramRunner implements AsyncDisposable {
  readonly #stages: readonly StageSession[];

  private constructor(stages: readonly StageSession[]) {
    this.#stages = stages;
  }

  static async create<Place>(
    stages: readonly Stage<Place>[],
    optionsOf: (stage: Stage<Place>) => InferenceSession.SessionOptions,
  ): Promise<ProgramRunner> {
    const sessions: StageSession[] = [];
    try {
      for (const stage of stages) {
        const { model, inputs, outputs } = stage;
        sessions.push({ session: await InferenceSession.create(model, optionsOf(stage)), inputs, outputs });
      }
    } catch (error) {
      await release(sessions);
      throw namedHostOutOfMemory(error);
    }
    return new ProgramRunner(sessions);
  }

  /** Every wire that a stage makes for a later one or for the caller, and those given. */
  async run(given: Wires): Promise<Map<string, Tensor>> {
    const wires = new Map(given);
    for (const { session, inputs, outputs } of this.#stages) {
      const feeds = Object.fromEntries(inputs.map((name) => [name, wireOf(wires, name)]));
      const results = await session.run(feeds, outputs).catch((error: unknown) => {
        throw namedHostOutOfMemory(error);
      });
      for (const [output, tensor] of Object.entries(results)) wires.set(wireOfOutput(output), tensor);
    }
    return wires;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await release(this.#stages);
  }
}

async function release(stages: readonly StageSession[]): Promise<void> {
  for (const { session } of stages) await session.release();
}
