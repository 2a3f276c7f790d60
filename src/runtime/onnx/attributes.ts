import type { MessageInitShape } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType as Type, type AttributeProtoSchema } from './onnx_pb.js';

/**
 * Attribute values of a node. A plain number is an ONNX float; integers, 64 bits wide, are `{ int }` because ONNX tells the
 * two apart and JavaScript does not.
 */
export type AttributeValue =
  number | string | { readonly int: number | bigint } | { readonly ints: readonly (number | bigint)[] };

export type Attributes = Readonly<Record<string, AttributeValue>>;

type AttributeInit = MessageInitShape<typeof AttributeProtoSchema>;

/** @throws RangeError for an integer that is none */
export function encodeAttributes(attributes: Attributes): AttributeInit[] {
  return Object.entries(attributes).map(([name, value]) => ({ name, ...encodeValue(value) }));
}

function encodeValue(value: AttributeValue): AttributeInit {
  if (typeof value === 'number') return { type: Type.FLOAT, f: value };
  if (typeof value === 'string') return { type: Type.STRING, s: new TextEncoder().encode(value) };
  if ('int' in value) return { type: Type.INT, i: BigInt(value.int) };
  return { type: Type.INTS, ints: value.ints.map(BigInt) };
}
