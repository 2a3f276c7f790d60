/** safetensors files made by hand, right or wrong: written here without the loader, so that the two can disagree. */

export interface TensorBytes {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A well-formed file, tensors in the given order. */
export function safetensorsBytes(tensors: readonly TensorBytes[], metadata?: Readonly<Record<string, string>>): Buffer {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, bytes }) => {
    const begin = end;
    end += bytes.length;
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`;
  });
  if (metadata !== undefined) entries.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = `{${entries.join(',')}}`;
  const padding = ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8);
  return withHeader(json + padding, ...tensors.map(({ bytes }) => bytes));
}

/** Any header, any data. */
export function withHeader(header: string | Uint8Array, ...data: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.from(header);
  return Buffer.concat([u64(BigInt(bytes.length)), bytes, ...data]);
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
