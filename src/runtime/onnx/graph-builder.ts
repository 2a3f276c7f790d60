/**
 * Writes an ONNX graph node by node. A value is known by its name; `''` stands for an optional input left out.
 *
 * Weights are external initializers: the model names a file, an offset and a length, and ONNX Runtime maps those bytes
 * itself. So a model of any size is a few hundred kilobytes here, and the `.safetensors` shards are its weight files.
 */
import { relative, sep } from 'node:path';
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import type { StoredTensor } from '../../loader/format/stored-tensor.js';
import type { Dtype } from '../../tensor/dtype.js';
import { encodeAttributes, type Attributes } from './attributes.js';
import { elementType } from './element-type.js';
import {
  ModelProtoSchema,
  TensorProto_DataLocation as DataLocation,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from './onnx_pb.js';

export type Value = string;

/** A number is a fixed size; a name is one that is known when the graph runs. */
export type Dim = number | string;

export interface ValueType {
  readonly dtype: Dtype;
  readonly dims: readonly Dim[];
}

export interface NodeOptions {
  /** Unique in the graph. ONNX Runtime assigns devices by it. */
  readonly name: string;
  /** ONNX's own, ONNX Runtime's, or ours. */
  readonly domain?: '' | 'com.microsoft' | 'blip2';
  readonly attributes?: Attributes;
}

/** The operators' version: ONNX Runtime 1.30 has all of 23, and `Gelu` needs 20. IR 11 is what ONNX 1.18 pairs with it. */
const OPSET_VERSION = 23n;
const IR_VERSION = 11n;

type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
type TensorInit = MessageInitShape<typeof TensorProtoSchema>;
type ValueInfoInit = MessageInitShape<typeof ValueInfoProtoSchema>;

export class GraphBuilder {
  readonly #nodes: NodeInit[] = [];
  readonly #inputs: ValueInfoInit[] = [];
  readonly #outputs: ValueInfoInit[] = [];
  readonly #types = new Map<Value, ValueType>();
  readonly #names = new Set<string>();
  readonly #renamed = new Map<Value, Value>();
  readonly #initializers = new Map<string, TensorInit>();
  readonly #folder: string;

  /** @param folder Absolute path that every weight's file lies under: the base of the external data. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  get inputNames(): string[] {
    return this.#inputs.map((input) => input.name ?? '');
  }

  get outputNames(): string[] {
    return this.#outputs.map((output) => output.name ?? '');
  }

  input(name: string, type: ValueType): Value {
    this.#inputs.push(valueInfo(name, type));
    return name;
  }

  /** Says what a node's result is, where its sizes have names that nobody could infer. */
  declare(value: Value, type: ValueType): void {
    this.#types.set(value, type);
  }

  /** Makes a node's result an output of the graph, under a name of its own. */
  output(name: string, value: Value, type: ValueType): void {
    const isInput = this.#inputs.some((input) => input.name === value);
    if (isInput || this.#initializers.has(value) || this.#renamed.has(value)) {
      this.#renamed.set(this.node('Identity', [value], { name: `${name}/Identity` }), name);
    } else {
      this.#renamed.set(value, name);
    }
    this.#outputs.push(valueInfo(name, type));
  }

  /** An initializer whose bytes stay in the tensor's file. Asking again for a name gives the same initializer. */
  weight(name: string, tensor: StoredTensor): Value {
    if (!this.#initializers.has(name)) {
      this.#initializers.set(name, {
        name,
        dataType: elementType(tensor.dtype),
        dims: tensor.shape.map(BigInt),
        dataLocation: DataLocation.EXTERNAL,
        externalData: [
          { key: 'location', value: relative(this.#folder, tensor.file).split(sep).join('/') },
          { key: 'offset', value: String(tensor.begin) },
          { key: 'length', value: String(tensor.end - tensor.begin) },
        ],
      });
    }
    return name;
  }

  /** An initializer inside the model. Equal small constants should be given the same name by the caller. */
  constant(name: string, dtype: Dtype, dims: readonly number[], data: ArrayBufferView): Value {
    if (!this.#initializers.has(name)) {
      const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      this.#initializers.set(name, { name, dataType: elementType(dtype), dims: dims.map(BigInt), rawData });
    }
    return name;
  }

  /** A 1-D int64 constant, as shapes, axes and sizes are. */
  int64s(values: readonly number[]): Value {
    return this.constant(`int64:[${values.join(',')}]`, 'I64', [values.length], BigInt64Array.from(values, BigInt));
  }

  int64(value: number): Value {
    return this.constant(`int64:${value}`, 'I64', [], BigInt64Array.of(BigInt(value)));
  }

  float(value: number): Value {
    return this.constant(`float:${value}`, 'F32', [], Float32Array.of(value));
  }

  /** A node with one result. */
  node(op: string, inputs: readonly Value[], options: NodeOptions): Value {
    const name = this.#uniqueName(options.name);
    this.#push(op, inputs, [`${name}:0`], { ...options, name });
    return `${name}:0`;
  }

  /** A node with several results; `false` marks a result that nobody reads. */
  nodes<const Wanted extends readonly boolean[]>(
    op: string,
    inputs: readonly Value[],
    wanted: Wanted,
    options: NodeOptions,
  ): { [Index in keyof Wanted]: Value } {
    const name = this.#uniqueName(options.name);
    const outputs = wanted.map((want, index) => (want ? `${name}:${index}` : ''));
    this.#push(op, inputs, outputs, { ...options, name });
    return outputs as { [Index in keyof Wanted]: Value };
  }

  /** The encoded model. */
  toModel(): Uint8Array {
    const named = (value: Value) => this.#renamed.get(value) ?? value;
    const model = create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: 'blip2-device-map',
      opsetImport: [
        { domain: '', version: OPSET_VERSION },
        { domain: 'com.microsoft', version: 1n },
        ...(this.#nodes.some(({ domain }) => domain === 'blip2') ? [{ domain: 'blip2', version: 1n }] : []),
      ],
      graph: {
        name: 'blip2',
        node: this.#nodes.map((node) => ({
          ...node,
          input: (node.input ?? []).map(named),
          output: (node.output ?? []).map(named),
        })),
        input: this.#inputs,
        output: this.#outputs,
        valueInfo: [...this.#types]
          .filter(([value]) => !this.#renamed.has(value))
          .map(([value, type]) => valueInfo(value, type)),
        initializer: [...this.#initializers.values()],
      },
    });
    return toBinary(ModelProtoSchema, model);
  }

  #push(op: string, input: readonly Value[], output: string[], options: NodeOptions): void {
    this.#nodes.push({
      opType: op,
      name: options.name,
      domain: options.domain ?? '',
      input: [...input],
      output,
      attribute: encodeAttributes(options.attributes ?? {}),
    });
  }

  #uniqueName(name: string): string {
    let unique = name;
    for (let count = 2; this.#names.has(unique); count++) unique = `${name}_${count}`;
    this.#names.add(unique);
    return unique;
  }
}

function valueInfo(name: string, { dtype, dims }: ValueType): ValueInfoInit {
  const dim = dims.map((size) => ({
    value:
      typeof size === 'number'
        ? ({ case: 'dimValue', value: BigInt(size) } as const)
        : ({ case: 'dimParam', value: size } as const),
  }));
  return { name, type: { value: { case: 'tensorType', value: { elemType: elementType(dtype), shape: { dim } } } } };
}
