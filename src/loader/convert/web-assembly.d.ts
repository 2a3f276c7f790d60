/** As much of the WebAssembly interface as the kernels need: Node has it, the types of Node 20 do not. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
    /** By pages of 64 KiB; the buffer is another one then. */
    grow(pages: number): number;
  }
  type Module = object;
  const Module: new (bytes: Uint8Array) => Module;
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, { readonly buffer: ArrayBuffer }>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
