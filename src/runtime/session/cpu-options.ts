import type { InferenceSession } from 'onnxruntime-node';

export interface CpuOptions {
  /** Threads of one operator; ONNX Runtime takes one per physical core when absent. */
  readonly threads?: number;
}

/**
 * Options under which weights stay where they are: external data is mapped from `folder`, and no operator makes a
 * rearranged copy of its weights in anonymous memory (prepacking would copy all of them).
 */
export function cpuOptions(folder: string, { threads }: CpuOptions = {}): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    extra: { session: { model_external_initializers_file_folder_path: folder, disable_prepacking: '1' } },
  };
}
