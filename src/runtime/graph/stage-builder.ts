/**
 * A stage is the graph of some consecutive blocks: what one session runs. A wire that a block reads and no block of the
 * stage has made becomes an input of the graph; a wire that is wanted later becomes an output.
 */
import type { ModelConfig } from '../../model/blip2-config.js';
import { GraphBuilder, type Value, type ValueType } from '../onnx/graph-builder.js';
import type { PictureGrid } from './picture-grid.js';
import type { Weights } from './weights.js';
import { wireType } from './wires.js';

/**
 * What attention is made of: of the provider's operators; of these but for the one that a decoder's steps have, which is told where tokens are, and not what is seen; or of
 * single operators, where the provider's are wrong.
 */
export type AttentionForm = 'fused' | 'biased' | 'plain';

/** What differs between the graphs of providers. */
export interface GraphStyle {
  /** Of activations, the Q-Former's apart. */
  readonly float: 'F16' | 'F32';
  /** Weights are external data of the graph, mapped by ONNX Runtime, or inputs that the caller binds. */
  readonly weights: 'external' | 'inputs';
  /** Whether it suits WebGPU's kernels: products read weights `[in, out]`, not as they are stored. Only where weights are inputs. */
  readonly forWebGpu?: boolean;
  /** Default: fused. */
  readonly attention?: AttentionForm;
  /** Whether the provider runs operators of our own: `CachedAttention`, `QuantizedProduct`. */
  readonly ownKernels?: boolean;
  /** Whether keys and values are kept as integers, which takes an operator of our own. */
  readonly quantizesCaches?: boolean;
  readonly wireType: (config: ModelConfig, wire: string) => ValueType;
}

/** For ONNX Runtime's CPU provider. */
const CPU_STYLE: GraphStyle = { float: 'F32', weights: 'external', wireType };

/** A graph input that takes one weight, or several with equal trailing dimensions one after the other. */
export interface WeightInput extends ValueType {
  readonly dims: readonly number[];
  readonly tensors: readonly string[];
  /** Each tensor is stored `[out, in]`, and the input takes them as `[in, out]`, side by side. */
  readonly transposed: boolean;
}

/** Values that add up to a wire's next value. A norm of the wire can add them itself. */
export interface Sum {
  readonly add: (a: Value, b: Value) => Value;
  readonly terms: readonly [Value, Value];
  /** Added to every row. */
  readonly bias?: Value;
  /** Of the first term, where it is not the device's float. */
  readonly dtype?: 'F32';
}

/**
 * Operators of our own run in the thread that opened the model. Products by quantised weights are for several rows; one row by weights
 * of 4 bits is ONNX Runtime's 1.2 times as fast.
 */
export interface OwnOperators {
  readonly attention: boolean;
  readonly products: boolean;
  readonly activations: boolean;
  /** Sums of two floats with their norms, as T5 has them, and gates. */
  readonly mixed: boolean;
  /** Products of floats, of so many rows that choosing their algorithm is worth what asking for an operator of our own takes the host. */
  readonly tuned: boolean;
}

const NONE_OF_OWN: OwnOperators = { attention: false, products: false, activations: false, mixed: false, tuned: false };

export interface StageSources {
  readonly config: ModelConfig;
  readonly weights: Weights;
  /** The base of external data. */
  readonly folder: string;
  readonly picture: PictureGrid;
  readonly style?: GraphStyle;
  /**
   * Whether WebGPU's products take the new tokens of all rows as rows of one matrix, and are cut into rows again by the input `row_shape`:
   * the provider would read the weights anew for each row.
   */
  readonly joinsRows?: boolean;
  /** Operators of our own that may take the place of ONNX Runtime's, where the style has them. Default: none. */
  readonly own?: OwnOperators;
}

export class StageBuilder {
  readonly graph: GraphBuilder;
  readonly config: ModelConfig;
  readonly weights: Weights;
  readonly picture: PictureGrid;
  /** By the name of the graph input; empty where weights are external data. */
  readonly weightInputs = new Map<string, WeightInput>();
  readonly own: OwnOperators;
  readonly #style: GraphStyle;
  readonly #joinsRows: boolean;
  readonly #made = new Map<string, Value>();
  readonly #sums = new Map<string, Sum>();
  readonly #memo = new Map<string, Value>();

  constructor({
    config,
    weights,
    folder,
    picture,
    style = CPU_STYLE,
    own = NONE_OF_OWN,
    joinsRows = false,
  }: StageSources) {
    this.config = config;
    this.weights = weights;
    this.picture = picture;
    this.#style = style;
    this.#joinsRows = joinsRows && style.forWebGpu === true;
    this.own = style.ownKernels === true ? own : NONE_OF_OWN;
    this.graph = new GraphBuilder(folder);
  }

  /** Of activations. */
  get float(): GraphStyle['float'] {
    return this.#style.float;
  }

  get quantizesCaches(): boolean {
    return this.#style.quantizesCaches ?? false;
  }

  get attention(): AttentionForm {
    return this.#style.attention ?? 'fused';
  }

  get forWebGpu(): boolean {
    return this.#style.forWebGpu ?? false;
  }

  /** See `StageSources`. */
  get joinsRows(): boolean {
    return this.#joinsRows;
  }

  /** A weight of the checkpoint, under another shape of as many elements where one is given. */
  weight(name: string, dims?: readonly number[]): Value {
    const tensor = this.weights.get(name);
    if (this.#style.weights === 'external') return this.graph.weight(name, tensor);
    return this.joinedWeight(name, [name], dims ?? tensor.shape);
  }

  /**
   * Several weights of one dtype as one, for graphs whose weights are inputs.
   * @param dims as many elements as the tensors have, read `[in, out]` where `transposed`
   */
  joinedWeight(name: string, tensors: readonly string[], dims: readonly number[], transposed = false): Value {
    const [dtype = this.float] = tensors.map((tensor) => this.weights.get(tensor).dtype);
    if (!this.weightInputs.has(name)) {
      this.graph.input(name, { dtype, dims });
      this.weightInputs.set(name, { dtype, dims, tensors, transposed });
    }
    return name;
  }

  /** The wire's newest value. */
  use(wire: string): Value {
    this.#addUp(wire);
    let value = this.#made.get(wire);
    if (value === undefined) {
      value = this.graph.input(wire, this.#style.wireType(this.config, wire));
      this.#made.set(wire, value);
    }
    return value;
  }

  make(wire: string, value: Value): void {
    this.#sums.delete(wire);
    this.#made.set(wire, value);
  }

  /**
   * Like `make`, and says the wire's type. Between sizes without names ONNX Runtime looks for those that are equal again and
   * again: 39 vision layers took it a second instead of a fifth.
   */
  makeTyped(wire: string, value: Value): void {
    this.graph.declare(value, this.#style.wireType(this.config, wire));
    this.make(wire, value);
  }

  /** Like `make`, of a sum that is added up once somebody uses it. */
  makeSum(wire: string, sum: Sum): void {
    this.#sums.set(wire, sum);
  }

  /** The wire's sum where nobody has used it yet; whoever takes it makes the wire. */
  takeSum(wire: string): Sum | undefined {
    const sum = this.#sums.get(wire);
    this.#sums.delete(wire);
    return sum;
  }

  #addUp(wire: string): void {
    const sum = this.takeSum(wire);
    if (sum === undefined) return;
    const { add, terms, bias } = sum;
    const [first, second] = terms;
    this.make(wire, add(bias === undefined ? first : add(first, bias), second));
  }

  /**
   * Ends the graph: those of the wanted wires that this stage makes become its outputs, and are returned. An output named
   * like an input gets a prime, because names are unique in ONNX.
   */
  finish(wanted: Iterable<string>): string[] {
    for (const wire of this.#sums.keys()) this.#addUp(wire);
    const inputs = new Set(this.graph.inputNames);
    const made = [...wanted].filter((wire) => this.#made.has(wire) && this.#made.get(wire) !== wire);
    for (const wire of made)
      this.graph.output(outputName(wire, inputs), this.use(wire), this.#style.wireType(this.config, wire));
    return made;
  }

  /** A value that several blocks of the stage need and that is worth one set of nodes only. */
  once(key: string, compute: () => Value): Value {
    const known = this.#memo.get(key);
    if (known !== undefined) return known;
    const value = compute();
    this.#memo.set(key, value);
    return value;
  }
}

const outputName = (wire: string, inputs: ReadonlySet<string>) => (inputs.has(wire) ? `${wire}'` : wire);

/** The wire that an output carries. */
export const wireOfOutput = (output: string): string => (output.endsWith("'") ? output.slice(0, -1) : output);
