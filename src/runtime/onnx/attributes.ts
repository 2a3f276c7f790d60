import proto, { type onnx } from 'onnx-proto';

/**
 * Attribute values of a node. A plain number is an ONNX float; integers are `{ int }` because ONNX tells the two apart
 * and JavaScript does not.
 */
export type AttributeValue = number | string | { readonly int: number } | { readonly ints: readonly number[] };

export type Attributes = Readonly<Record<string, AttributeValue>>;

export function encodeAttributes(attributes: Attributes): onnx.IAttributeProto[] {
  return Object.entries(attributes).map(([name, value]) => ({ name, ...encodeValue(value) }));
}

function encodeValue(value: AttributeValue): onnx.IAttributeProto {
  const { AttributeType } = proto.onnx.AttributeProto;
  if (typeof value === 'number') return { type: AttributeType.FLOAT, f: value };
  if (typeof value === 'string') return { type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  if ('int' in value) return { type: AttributeType.INT, i: value.int };
  return { type: AttributeType.INTS, ints: [...value.ints] };
}
