import type { InferenceSession } from 'onnxruntime-node';

export interface CpuOptions {
  /** Threads of one operator; ONNX Runtime takes one per physical core when absent. */
  readonly threads?: number;
}

/** Where a session finds its linear weights, and what they are. */
export interface StageWeights {
  /** The base of external data. */
  readonly folder: string;
  readonly quantized: boolean;
}

/**
 * Options under which float weights stay where they are: external data is mapped from the folder, and no operator makes a
 * rearranged copy of its weights in anonymous memory (prepacking would copy all of them). Quantised weights are rearranged
 * once, as the session starts: without that `MatMulNBits` unpacks the whole weight to floats on every run.
 */
export function cpuOptions(
  { folder, quantized }: StageWeights,
  { threads }: CpuOptions = {},
): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    extra: {
      session: {
        model_external_initializers_file_folder_path: folder,
        disable_prepacking: quantized ? '0' : '1',
      },
    },
  };
}
