/** The npm package `safetensors` 0.0.1, which has no types of its own. */
declare module 'safetensors' {
  interface Entry {
    readonly dtype: string;
    readonly shape: number[];
    readonly data_offsets: [number, number];
  }
  export class SafeTensor {
    constructor(bytes: Uint8Array);
    readonly metadata: Map<string, Entry>;
    getTensor(name: string): Uint8Array;
  }
}
