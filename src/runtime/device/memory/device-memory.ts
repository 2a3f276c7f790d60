/** Memory of a device by address, allocated to the byte, and the copies to and from it. */
import type { MemoryPlace } from '../ort/memory-info.js';
import type { BoundTensor } from '../ort/ort-session.js';

export type Address = bigint;

/** Host memory at a fixed address, from which copies are fast. */
export interface HostBuffer {
  readonly address: Address;
  readonly bytes: Uint8Array;
}

/** Bytes that go from one place of a device to another. */
export interface Copy {
  readonly to: Address;
  readonly from: Address;
  readonly bytes: number;
}

/** The same copy again and again, each time this many bytes further on both sides. */
export interface Repeat {
  readonly count: number;
  readonly strideBytes: number;
}

/** Bytes in this process's memory. */
export interface HostRange {
  readonly address: Address;
  readonly bytes: number;
}

/** What became of a piece: whether its pages are locked; undefined where a thread could not try. */
export interface AskedPiece {
  readonly range: HostRange;
  readonly isLocked: boolean | undefined;
}

/** A point in the order of copies and runs that the other side can wait for. */
export interface Fence {
  /** Passed once all copies ahead that were asked for so far are done. */
  afterCopies(): void;
  /** Passed once all runs so far are done. */
  afterRuns(): void;
  /** Later runs wait until the fence is passed. */
  holdRuns(): void;
  /** Later copies ahead wait until the fence is passed. */
  holdCopies(): void;
}

/** What a device's memory holds. */
export interface MemoryRoom {
  /** The device, as a person knows it. */
  readonly device: string;
  readonly totalBytes: number;
  /** Of all processes. */
  readonly freeBytes: number;
  /** What this memory has allocated. */
  readonly heldBytes: number;
}

export interface DeviceMemory extends Disposable {
  readonly place: MemoryPlace;
  /** What ONNX Runtime's provider needs to run in the order of this memory's copies; undefined on the CPU. */
  readonly stream: bigint | undefined;
  /**
   * Makes the device the calling thread's. What a session makes for its first run, such as a handle of cuBLAS, is made for the
   * thread's device, whichever the session is for: a product then fails ("CUBLAS failure 14").
   */
  enter(): void;
  /** @throws Blip2Error `OUT_OF_MEMORY` with the numbers */
  allocate(bytes: number): Address;
  /** With everything that it was divided into. */
  free(allocation: Address): void;
  /**
   * Addresses of tensors of these sizes in an allocation, each on a border of its own: together they need
   * `alignedBytes` of each. The same sizes give the same addresses; tensors of different divisions are not there at once.
   */
  divide(allocation: Address, sizes: readonly number[]): readonly Address[];
  /** A tensor as a binding names it, which may be by another address than the one that copies go by. */
  locate(tensor: BoundTensor): BoundTensor;
  /** null where the system does not tell. */
  room(): MemoryRoom | null;
  /** Freed with the device. */
  allocateHost(bytes: number): HostBuffer;
  /**
   * Makes copies from mapped memory fast and asynchronous, where the system allows it; answers how to undo that.
   * @param begun what became of its pieces, where a thread was asked before
   */
  pin(address: Address, bytes: number, begun?: Promise<readonly AskedPiece[]>): Promise<() => void>;
  /** In the order of runs. */
  upload(to: Address, from: Address, bytes: number): void;
  /** Host ranges one after the other into one tensor, in the order of runs or, `ahead`, beside them: see `Fence`. */
  uploadParts(to: Address, parts: readonly HostRange[], ahead: boolean): void;
  /** In the order of runs; returns when done. */
  download(to: Address, from: Address, bytes: number): void;
  /** Of what no run changes any more, beside the runs; returns when done. */
  downloadBeside(to: Address, from: Address, bytes: number): void;
  /** Within the device, in the order of runs. No copy's target is another's source. */
  copy(copies: readonly Copy[], repeat?: Repeat): void;
  /** From another device's memory, after its runs so far and before later runs here. */
  copyFrom(source: DeviceMemory, to: Address, from: Address, bytes: number): void;
  /** In the order of runs. */
  zero(address: Address, bytes: number): void;
  createFence(): Fence;
  /** Returns when all copies and runs are done. */
  synchronize(): void;
}

/** Each copy of a repetition by itself. */
export function repeated(copies: readonly Copy[], repeat: Repeat | undefined): readonly Copy[] {
  if (repeat === undefined) return copies;
  return Array.from({ length: repeat.count }, (_, time) => BigInt(time * repeat.strideBytes)).flatMap((offset) =>
    copies.map(({ to, from, bytes }) => ({ to: to + offset, from: from + offset, bytes })),
  );
}
