/** What vendors state of their cards, and the memory that the driver offers of them. */

export interface DataSheet {
  /** As nvidia-smi gives it: less than the name of the card says where error correction takes its share. */
  readonly memoryMiB: number;
  /** GB/s. */
  readonly bandwidth: number;
  /** Dense TFLOP/s with float16 and float32 inputs (TF32 not counted). */
  readonly float16: number;
  readonly float32: number;
  /** Of PCI Express: the host link. */
  readonly generation: number;
  readonly lanes: number;
}

export const DATA_SHEETS: ReadonlyMap<string, DataSheet> = new Map([
  ['RTX 3060', { memoryMiB: 12_288, bandwidth: 360, float16: 51, float32: 12.7, generation: 4, lanes: 16 }],
  ['RTX 3060 Ti', { memoryMiB: 8192, bandwidth: 448, float16: 65, float32: 16.2, generation: 4, lanes: 16 }],
  ['RTX 3070', { memoryMiB: 8192, bandwidth: 448, float16: 81, float32: 20.3, generation: 4, lanes: 16 }],
  ['RTX 3070 Ti', { memoryMiB: 8192, bandwidth: 608, float16: 87, float32: 21.7, generation: 4, lanes: 16 }],
  ['RTX 3080', { memoryMiB: 10_240, bandwidth: 760, float16: 119, float32: 29.8, generation: 4, lanes: 16 }],
  ['RTX 3080 Ti', { memoryMiB: 12_288, bandwidth: 912, float16: 136, float32: 34.1, generation: 4, lanes: 16 }],
  ['RTX 3090', { memoryMiB: 24_576, bandwidth: 936, float16: 142, float32: 35.6, generation: 4, lanes: 16 }],
  ['RTX 3090 Ti', { memoryMiB: 24_564, bandwidth: 1008, float16: 160, float32: 40, generation: 4, lanes: 16 }],
  ['RTX 4060', { memoryMiB: 8188, bandwidth: 272, float16: 60, float32: 15.1, generation: 4, lanes: 8 }],
  ['RTX 4060 Ti', { memoryMiB: 8188, bandwidth: 288, float16: 88, float32: 22.1, generation: 4, lanes: 8 }],
  ['RTX 4070', { memoryMiB: 12_282, bandwidth: 504, float16: 117, float32: 29.1, generation: 4, lanes: 16 }],
  ['RTX 4070 SUPER', { memoryMiB: 12_282, bandwidth: 504, float16: 142, float32: 35.5, generation: 4, lanes: 16 }],
  ['RTX 4070 Ti', { memoryMiB: 12_282, bandwidth: 504, float16: 160, float32: 40.1, generation: 4, lanes: 16 }],
  ['RTX 4070 Ti SUPER', { memoryMiB: 16_376, bandwidth: 672, float16: 176, float32: 44.1, generation: 4, lanes: 16 }],
  ['RTX 4080', { memoryMiB: 16_376, bandwidth: 717, float16: 195, float32: 48.7, generation: 4, lanes: 16 }],
  ['RTX 4080 SUPER', { memoryMiB: 16_376, bandwidth: 736, float16: 209, float32: 52.2, generation: 4, lanes: 16 }],
  ['RTX 4090', { memoryMiB: 24_564, bandwidth: 1008, float16: 330, float32: 82.6, generation: 4, lanes: 16 }],
  ['RTX 5070', { memoryMiB: 12_227, bandwidth: 672, float16: 123, float32: 30.9, generation: 5, lanes: 16 }],
  ['RTX 5070 Ti', { memoryMiB: 16_303, bandwidth: 896, float16: 176, float32: 43.9, generation: 5, lanes: 16 }],
  ['RTX 5080', { memoryMiB: 16_303, bandwidth: 960, float16: 225, float32: 56.3, generation: 5, lanes: 16 }],
  ['RTX 5090', { memoryMiB: 32_607, bandwidth: 1792, float16: 419, float32: 104.8, generation: 5, lanes: 16 }],
  ['RTX A6000', { memoryMiB: 49_140, bandwidth: 768, float16: 155, float32: 38.7, generation: 4, lanes: 16 }],
  ['T4', { memoryMiB: 15_360, bandwidth: 320, float16: 65, float32: 8.1, generation: 3, lanes: 16 }],
  ['V100', { memoryMiB: 32_510, bandwidth: 900, float16: 125, float32: 15.7, generation: 3, lanes: 16 }],
  ['L4', { memoryMiB: 23_034, bandwidth: 300, float16: 121, float32: 30.3, generation: 4, lanes: 16 }],
  ['A10', { memoryMiB: 23_028, bandwidth: 600, float16: 125, float32: 31.2, generation: 4, lanes: 16 }],
  ['A40', { memoryMiB: 46_068, bandwidth: 696, float16: 150, float32: 37.4, generation: 4, lanes: 16 }],
  ['L40', { memoryMiB: 46_068, bandwidth: 864, float16: 181, float32: 90.5, generation: 4, lanes: 16 }],
  ['L40S', { memoryMiB: 46_068, bandwidth: 864, float16: 362, float32: 91.6, generation: 4, lanes: 16 }],
  ['A100', { memoryMiB: 81_920, bandwidth: 2039, float16: 312, float32: 19.5, generation: 4, lanes: 16 }],
  ['H200', { memoryMiB: 143_771, bandwidth: 4800, float16: 989, float32: 66.9, generation: 5, lanes: 16 }],
  ['H100', { memoryMiB: 81_559, bandwidth: 3350, float16: 989, float32: 66.9, generation: 5, lanes: 16 }],
]);
