/**
 * A very small assembler for WebAssembly with 128-bit vectors: expressions are functions that return their code, so that
 * a kernel reads like the formula it computes. It knows one shape of function, a loop over an array.
 *
 * Opcodes: WebAssembly core specification 2.0, sections 5.4 (instructions) and 5.5 (modules).
 */

/** Instructions that leave one value on the stack. */
export type Vector = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;
const NO_RESULT = 0x40;

const LOOP = 0x03;
const END_BLOCK = 0x0b;
const BRANCH_IF = 0x0d;
const DROP = 0x1a;
const GET = 0x20;
const SET = 0x21;
const TEE = 0x22;
const I32_CONST = 0x41;
const I32_BELOW = 0x49;
const I32_ADD = 0x6a;
const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** Parameters of every kernel, by their index: the addresses of its targets follow, then the locals. */
const SOURCE = 0;
const END = 1;
const FIRST_TARGET = 2;

/** Loads 16 bytes of the source, `offset` bytes after where the loop stands. */
export const load = (offset: number): Vector => [GET, SOURCE, ...simd(0x00), 0, ...leb(offset)];
/** Loads four unsigned 16-bit integers and widens them to 32 bits. */
export const loadU16 = (offset: number): Vector => [GET, SOURCE, ...simd(0x04), 0, ...leb(offset)];
/** Loads four signed 16-bit integers and widens them to 32 bits. */
export const loadI16 = (offset: number): Vector => [GET, SOURCE, ...simd(0x03), 0, ...leb(offset)];
/** The same 32-bit integer in all four lanes. */
export const splat = (value: number): Vector => {
  const lane = [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  return [...simd(0x0c), ...lane, ...lane, ...lane, ...lane];
};
/** The same byte in all 16 lanes. */
export const splatByte = (value: number): Vector => splat(value * 0x01010101);

/** Bytes that a kernel writes to one of its targets. */
export type Store = readonly number[];

/** Stores 16 bytes `offset` bytes after where the loop stands in a target. */
export const store = (target: number, offset: number, value: Vector): Store => [
  GET,
  FIRST_TARGET + target,
  ...value,
  ...simd(0x0b),
  0,
  ...leb(offset),
];
/** Stores the lower 8 bytes. */
export const storeLowerHalf = (target: number, offset: number, value: Vector): Store => [
  GET,
  FIRST_TARGET + target,
  ...value,
  ...simd(0x5b),
  0,
  ...leb(offset),
  0,
];

export const and = binary(0x4e);
export const or = binary(0x50);
export const add = binary(0xae);
/** All bits where `a > b`, as signed integers: one instruction on x86, which has no unsigned comparison. */
export const above = binary(0x3b);
export const below = binary(0x39);
/** All bits where `a = b`, as integers. */
export const equal = binary(0x37);
export const xor = binary(0x51);
export const subtract = binary(0xb1);
/** Of signed integers. */
export const minimum = binary(0xb6);
export const maximum = binary(0xb8);
export const maximumUnsigned = binary(0xb9);
export const addFloat = binary(0xe4);
export const subFloat = binary(0xe5);
export const mulFloat = binary(0xe6);
export const divFloat = binary(0xe7);
/** Of 16 signed bytes; the sum stays at 127 where it would be more, at -128 where it would be less. */
export const addBytes = binary(0x6f);
export const minimumBytes = binary(0x76);
export const maximumBytes = binary(0x78);
export const shiftLeft = shift(0xab);
/** Fills with zeros. */
export const shiftRight = shift(0xad);
/** Fills with the sign. */
export const shiftRightSigned = shift(0xac);
/** Of 16-bit integers; fills with zeros. */
export const shiftRight16 = shift(0x8d);
/** Four lanes of the eight of two vectors, by their number. */
export const shuffle = (a: Vector, b: Vector, lanes: readonly number[]): Vector => {
  const bytes = lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]);
  return [...a, ...b, ...simd(0x0d), ...bytes];
};
/** `mask ? a : b`, bit by bit. */
export const select = (mask: Vector, a: Vector, b: Vector): Vector => [...a, ...b, ...mask, ...simd(0x52)];
/** Two vectors of 32-bit integers below 2^16 to one of 16-bit integers. */
export const narrow = (low: Vector, high: Vector): Vector => [...low, ...high, ...simd(0x86)];
/** Two vectors of signed 32-bit integers to one of 16-bit integers, each as near as it can be had. */
export const narrowSigned = (low: Vector, high: Vector): Vector => [...low, ...high, ...simd(0x85)];
/** Two vectors of signed 16-bit integers to one of bytes, each as near as it can be had. */
export const narrowToBytes = (low: Vector, high: Vector): Vector => [...low, ...high, ...simd(0x65)];
/** The same to unsigned bytes. */
export const narrowToUnsignedBytes = (low: Vector, high: Vector): Vector => [...low, ...high, ...simd(0x66)];

/** A local variable. */
export interface Local {
  readonly get: Vector;
  /** Assigns, and leaves the value on the stack. */
  readonly set: (value: Vector) => Vector;
}

/** Runs instructions before a value for their effect on locals. */
export const after = (effect: Vector, value: Vector): Vector => [...effect, DROP, ...value];

/** A loop that makes its stores one after the other and moves on, source and targets each by their step. */
export interface Kernel {
  readonly name: string;
  /** Bytes of source per turn. */
  readonly sourceStep: number;
  /** Bytes of every target per turn. */
  readonly targetSteps: readonly number[];
  readonly locals: number;
  readonly stores: (locals: readonly Local[]) => readonly Store[];
}

/** `kernel(source, end, target, ...)`: byte addresses in the memory; runs while `source < end`, at least once. */
export type KernelFunction = (source: number, end: number, ...targets: number[]) => void;

/** A compiled `WebAssembly.Module`, by a name that programs without its types can read. */
export type KernelModule = object;

/** Assembles kernels into a module that works in whatever memory it is given. */
export function assemble(kernels: readonly Kernel[]): KernelModule {
  const targetCounts = [...new Set(kernels.map(({ targetSteps }) => targetSteps.length))];
  const functionType = (targets: number) => [
    0x60,
    ...vector(Array.from({ length: FIRST_TARGET + targets }, () => [I32])),
    ...vector([]),
  ];
  const memoryImport = [...text('env'), ...text('memory'), 0x02, 0x00, 0x01];
  const exported = kernels.map(({ name }, i) => [...text(name), 0x00, ...leb(i)]);
  const bytes = [
    ...MAGIC_AND_VERSION,
    ...section(1, vector(targetCounts.map(functionType))),
    ...section(2, vector([memoryImport])),
    ...section(3, vector(kernels.map(({ targetSteps }) => leb(targetCounts.indexOf(targetSteps.length))))),
    ...section(7, vector(exported)),
    ...section(10, vector(kernels.map(functionBody))),
  ];
  return new WebAssembly.Module(Uint8Array.from(bytes));
}

/** The kernels of a module, at work in `memory`, by name. */
export function instantiate(
  module: KernelModule,
  memory: { readonly buffer: ArrayBuffer },
): ReadonlyMap<string, KernelFunction> {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return new Map(Object.entries(exports) as [string, KernelFunction][]);
}

function functionBody({ sourceStep, targetSteps, locals, stores }: Kernel): number[] {
  const firstLocal = FIRST_TARGET + targetSteps.length;
  const storing = stores(Array.from({ length: locals }, (_, i) => local(firstLocal + i))).flat();
  const advance = (index: number, by: number) => [GET, index, I32_CONST, ...signedLeb(by), I32_ADD, SET, index];
  const next = [
    ...targetSteps.flatMap((step, target) => advance(FIRST_TARGET + target, step)),
    ...advance(SOURCE, sourceStep),
  ];
  const repeat = [GET, SOURCE, GET, END, I32_BELOW, BRANCH_IF, 0];
  const body = [LOOP, NO_RESULT, ...storing, ...next, ...repeat, END_BLOCK, END_BLOCK];
  const code = [...vector(locals === 0 ? [] : [[...leb(locals), V128]]), ...body];
  return [...leb(code.length), ...code];
}

function local(index: number): Local {
  return { get: [GET, index], set: (value) => [...value, TEE, index] };
}

function binary(opcode: number): (a: Vector, b: Vector) => Vector {
  return (a, b) => [...a, ...b, ...simd(opcode)];
}

function shift(opcode: number): (a: Vector, bits: number) => Vector {
  return (a, bits) => [...a, I32_CONST, ...signedLeb(bits), ...simd(opcode)];
}

function simd(opcode: number): number[] {
  return [0xfd, ...leb(opcode)];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

function text(name: string): number[] {
  return [...leb(name.length), ...Buffer.from(name, 'latin1')];
}

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(Math.floor(value / 128))];
}

/** Signed LEB128 of a number that is not negative. */
function signedLeb(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signedLeb(Math.floor(value / 128))];
}
