/**
 * Operators of our own beside ONNX Runtime's for the same, on one CUDA card: how far their results are apart, and what each takes, in
 * recorded runs over enough layers that no cache of the card holds them. One JSON line a row; fails where results differ.
 *
 *   npm run build && node bench/gpu/kernels.mjs [--rows 1,8,24,48,256] [--only attention|caches|pictures|int8|int4|linear]
 */
import { parseArgs } from 'node:util';
import { openCudaMemory, cudaSettings, ownKernels } from '../../dist/src/runtime/device/cuda-provider.js';
import { OrtSession } from '../../dist/src/runtime/device/ort/ort-session.js';
import { GraphBuilder } from '../../dist/src/runtime/onnx/graph-builder.js';
import { runOptions } from '../../dist/src/runtime/session/gpu/device/run-options.js';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1,8,24,48,256' },
    only: { type: 'string', default: 'attention,caches,pictures,int8,int4,linear' },
  },
});
const memory = openCudaMemory(0);
const ops = ownKernels(0)?.ops ?? null;
if (memory === null || ops === null) throw new Error('no CUDA card of compute capability 8.0 or later');
const SIZES = { F16: 2, F32: 4, U8: 1, I32: 4 };
const LAYERS = 32;
const ROUNDS = 7;

let seed = 1;
/** 0 to 2^32, the same each time. */
const random = () => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0);
/** Halves between 2^-4 and 2^-1 in size, of both signs. */
const half = () => ((random() >>> 31) << 15) | (0x2c00 + (random() >>> 20));
const halves = (count) => repeated('halves', count, (length) => Uint16Array.from({ length }, half));

/** Noise of any length: the same stretch again and again, which is odd, so that no two rows are alike. */
const STRETCH = 1_000_003;
const noise = new Map();
function repeated(name, count, make) {
  const own = noise.get(name) ?? make(STRETCH);
  noise.set(name, own);
  const filled = new own.constructor(count);
  for (let at = 0; at < count; at += own.length) filled.set(own.subarray(0, Math.min(own.length, count - at)), at);
  return filled;
}

function tensor(dtype, dims, data) {
  const bytes = dims.reduce((product, size) => product * size, SIZES[dtype]);
  const address = memory.allocate(bytes);
  if (data === undefined) memory.zero(address, bytes);
  else {
    const staging = memory.allocateHost(bytes);
    staging.bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    memory.upload(address, staging.address, bytes);
    memory.synchronize();
  }
  return { place: memory.place, address, dtype, dims, bytes };
}

const float = (bits) => {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : (1024 + fraction) * 2 ** (exponent - 25);
  return bits >> 15 ? -size : size;
};

function read({ address, bytes }) {
  const buffer = memory.allocateHost(bytes);
  memory.download(buffer.address, address, bytes);
  return Float64Array.from(new Uint16Array(buffer.bytes.buffer, buffer.bytes.byteOffset, bytes / 2), float);
}

/** Milliseconds of one run of a graph, recorded; its results stay in the tensors. */
function timed(build, inputs, outputs) {
  const graph = new GraphBuilder('/');
  for (const [name, { dtype, dims }] of inputs) graph.input(name, { dtype, dims });
  build(graph);
  const session = new OrtSession(graph.toModel(), {
    cuda: cudaSettings(0, { stream: memory.stream, isRecorded: true }),
    ops,
  });
  const binding = session.bind(inputs, outputs);
  const options = runOptions(memory, 'recorded');
  memory.synchronize();
  for (let warm = 0; warm < 3; warm++) binding.run(options);
  const times = Array.from({ length: ROUNDS }, () => {
    const began = performance.now();
    for (let run = 0; run < 10; run++) binding.run(options);
    return (performance.now() - began) / 10;
  });
  binding[Symbol.dispose]();
  options[Symbol.dispose]();
  session[Symbol.dispose]();
  return times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)];
}

/** The largest difference, beside the size of what is compared. */
function apart(a, b) {
  let worst = 0;
  let size = 0;
  for (let i = 0; i < a.length; i++) {
    worst = Math.max(worst, Number.isNaN(a[i]) || Number.isNaN(b[i]) ? Infinity : Math.abs(a[i] - b[i]));
    size += Math.abs(b[i]) / b.length;
  }
  return worst / size;
}

function report(line, difference) {
  process.stdout.write(`${JSON.stringify({ ...line, difference: Number(difference.toPrecision(3)) })}\n`);
  if (!(difference < 0.05)) process.exitCode = 1;
}

/** @param finishes whether the first and third product of a layer get a bias, and the third a ReLU, as in opt-2.7b */
function products(bits, rows, finishes = false) {
  // What a layer of opt-2.7b multiplies by.
  const shapes = [
    [7680, 2560],
    [2560, 2560],
    [10240, 2560],
    [2560, 10240],
  ];
  const blockSize = bits === 8 ? 32 : 64;
  const most = Math.max(...shapes.map(([, columns]) => columns));
  const x = tensor('F16', [rows, 1, most], halves(rows * most));
  const weights = Array.from({ length: LAYERS / 4 }, () =>
    shapes.map(([outputs, columns]) => {
      const blocks = columns / blockSize;
      const bytes = repeated('bits', (outputs * columns * bits) / 32, (length) => Uint32Array.from({ length }, random));
      return {
        values: tensor('U8', [outputs, blocks, (blockSize * bits) / 8], bytes),
        scales: tensor(
          'F16',
          [outputs, blocks],
          repeated('scales', outputs * blocks, (length) =>
            Uint16Array.from({ length }, () => 0x2000 + (random() >>> 23)),
          ),
        ),
        x: { ...x, dims: [rows, 1, columns] },
        y: { domain: null, outputs, columns },
        bias: finishes && outputs > 2560 ? tensor('F16', [outputs], halves(outputs)) : null,
      };
    }),
  ).flat();
  const results = {};
  for (const [op, domain] of [
    ['MatMulNBits', 'com.microsoft'],
    ['QuantizedProduct', 'blip2'],
  ]) {
    const inputs = new Map();
    const outputs = new Map();
    weights.forEach(({ values: stored, scales, x: given, y, bias }, index) => {
      if (bias !== null) inputs.set(`b${index}`, bias);
      inputs.set(`x${y.columns}`, given);
      inputs.set(`w${index}`, stored);
      inputs.set(`s${index}`, scales);
      outputs.set(`y${index}`, tensor('F16', [rows, 1, y.outputs]));
    });
    const ms = timed(
      (graph) =>
        weights.forEach(({ y, bias }, index) => {
          const attributes = {
            K: { int: y.columns },
            N: { int: y.outputs },
            bits: { int: bits },
            block_size: { int: blockSize },
          };
          const operands = [`x${y.columns}`, `w${index}`, `s${index}`];
          const isRelu = y.outputs === 10240;
          const name = `p${index}`;
          const finished = () => {
            if (bias === null) return graph.node(op, operands, { name, domain, attributes });
            if (domain === 'blip2') {
              const relu = { int: isRelu ? 1 : 0 };
              const linear = { name, domain, attributes: { ...attributes, relu } };
              return graph.node('QuantizedLinear', [...operands, `b${index}`], linear);
            }
            const sum = graph.node('Add', [graph.node(op, operands, { name, domain, attributes }), `b${index}`], {
              name: `a${index}`,
            });
            return isRelu ? graph.node('Relu', [sum], { name: `r${index}` }) : sum;
          };
          graph.output(`y${index}`, finished(), { dtype: 'F16', dims: [rows, 1, y.outputs] });
        }),
      inputs,
      outputs,
    );
    results[op] = { ms, values: [...outputs.values()].slice(-4).map(read) };
    for (const { address } of outputs.values()) memory.free(address);
  }
  const [theirs, own] = [results.MatMulNBits, results.QuantizedProduct];
  const layers = LAYERS / 4;
  const gigabytes = weights.reduce((sum, { values: stored, scales }) => sum + stored.bytes + scales.bytes, 0) / 1e9;
  const difference = Math.max(...own.values.map((found, index) => apart(found, theirs.values[index])));
  const rounded = (ms) => Number(((1000 * ms) / layers).toFixed(1));
  report(
    {
      product: `int${bits}`,
      ...(finishes ? { finishes } : {}),
      rows,
      layerMicroseconds: { own: rounded(own.ms), ort: rounded(theirs.ms) },
      ownGBs: Math.round((1000 * gigabytes) / own.ms),
    },
    difference,
  );
  for (const { values: stored, scales } of weights) for (const { address } of [stored, scales]) memory.free(address);
  memory.free(x.address);
}

function attention(rows, tokens, past, heads = 32, width = 80) {
  const capacity = 56;
  const qkv = tensor('F16', [rows, tokens, 3 * heads * width], halves(rows * tokens * 3 * heads * width));
  const lengths = tensor(
    'I32',
    [rows],
    Int32Array.from({ length: rows }, () => past + tokens - 1),
  );
  const caches = Array.from({ length: 8 }, () =>
    ['key', 'value'].map(() => tensor('F16', [rows, heads, capacity, width], halves(rows * heads * capacity * width))),
  );
  const total = { place: 'Cpu', dtype: 'I32', dims: [1], address: totalAddress(past + tokens) };
  const results = {};
  for (const [op, domain] of [
    ['GroupQueryAttention', 'com.microsoft'],
    ['CachedAttention', 'blip2'],
  ]) {
    const inputs = new Map([['qkv', qkv], ['seqlens', lengths], ...(domain === 'blip2' ? [] : [['total', total]])]);
    const outputs = new Map();
    caches.forEach(([key, value], index) => {
      inputs.set(`k${index}`, key).set(`v${index}`, value);
      outputs
        .set(`y${index}`, tensor('F16', [rows, tokens, heads * width]))
        .set(`K${index}`, key)
        .set(`V${index}`, value);
    });
    const ms = timed(
      (graph) =>
        caches.forEach(([key], index) => {
          const counts = { num_heads: { int: heads }, scale: width ** -0.5 };
          const operands =
            domain === 'blip2'
              ? ['qkv', `k${index}`, `v${index}`, 'seqlens']
              : ['qkv', '', '', `k${index}`, `v${index}`, 'seqlens', 'total'];
          const attributes = domain === 'blip2' ? counts : { ...counts, kv_num_heads: { int: heads } };
          const [y, K, V] = graph.nodes(op, operands, [true, true, true], { name: `a${index}`, domain, attributes });
          graph.output(`y${index}`, y, { dtype: 'F16', dims: [rows, tokens, heads * width] });
          for (const [name, made] of [
            [`K${index}`, K],
            [`V${index}`, V],
          ])
            graph.output(name, made, { dtype: 'F16', dims: key.dims });
        }),
      inputs,
      outputs,
    );
    results[op] = { ms, values: ['y0', 'y7'].map((name) => read(outputs.get(name))) };
    for (const [name, { address }] of outputs) if (name.startsWith('y')) memory.free(address);
  }
  const [theirs, own] = [results.GroupQueryAttention, results.CachedAttention];
  const difference = Math.max(...own.values.map((found, index) => apart(found, theirs.values[index])));
  const rounded = (ms) => Number(((1000 * ms) / 8).toFixed(1));
  report(
    { attention: { tokens, past }, rows, layerMicroseconds: { own: rounded(own.ms), ort: rounded(theirs.ms) } },
    difference,
  );
  for (const { address } of [qkv, lengths, ...caches.flat()]) memory.free(address);
}

/** Caches of integers beside those of halves, both filled by a prompt, and then a step that reads them. */
function cacheForms(rows, past, heads = 32, width = 80) {
  const capacity = 56;
  const ms = {};
  const found = {};
  const prompt = tensor('F16', [rows, past, 3 * heads * width], halves(rows * past * 3 * heads * width));
  const step = tensor('F16', [rows, 1, 3 * heads * width], halves(rows * 3 * heads * width));
  const starts = [past - 1, past].map((length) =>
    tensor(
      'I32',
      [rows],
      Int32Array.from({ length: rows }, () => length),
    ),
  );
  for (const [op, dtype, bytes] of [
    ['CachedAttention', 'F16', width],
    ['QuantizedCachedAttention', 'U8', width + 2],
  ]) {
    const layers = Array.from({ length: 8 }, () =>
      ['key', 'value'].map(() => tensor(dtype, [rows, heads, capacity, bytes])),
    );
    const outputs = new Map();
    for (const [qkv, lengths, tokens] of [
      [prompt, starts[0], past],
      [step, starts[1], 1],
    ]) {
      const inputs = new Map([
        ['qkv', qkv],
        ['seqlens', lengths],
      ]);
      layers.forEach(([key, value], index) => {
        inputs.set(`k${index}`, key).set(`v${index}`, value);
        outputs
          .set(`y${index}`, tensor('F16', [rows, tokens, heads * width]))
          .set(`K${index}`, key)
          .set(`V${index}`, value);
      });
      ms[op] = timed(
        (graph) =>
          layers.forEach(([key], index) => {
            const operands = ['qkv', `k${index}`, `v${index}`, 'seqlens'];
            const attributes = { num_heads: { int: heads }, scale: width ** -0.5 };
            const options = { name: `a${index}`, domain: 'blip2', attributes };
            const [y, K, V] = graph.nodes(op, operands, [true, true, true], options);
            graph.output(`y${index}`, y, { dtype: 'F16', dims: [rows, tokens, heads * width] });
            graph.output(`K${index}`, K, { dtype, dims: key.dims });
            graph.output(`V${index}`, V, { dtype, dims: key.dims });
          }),
        inputs,
        outputs,
      );
      found[op] = read(outputs.get('y7'));
      for (const [name, { address }] of outputs) if (name.startsWith('y')) memory.free(address);
    }
    for (const { address } of layers.flat()) memory.free(address);
  }
  for (const { address } of [prompt, step, ...starts]) memory.free(address);
  const rounded = (op) => Number(((1000 * ms[op]) / 8).toFixed(1));
  report(
    {
      caches: { past },
      rows,
      layerMicroseconds: { int8: rounded('QuantizedCachedAttention'), float16: rounded('CachedAttention') },
    },
    apart(found.QuantizedCachedAttention, found.CachedAttention),
  );
}

/** Nodes of ONNX Runtime's and one of ours, of the same inputs. */
function compare(what, inputs, dims, nodes) {
  const layers = 8;
  const results = {};
  for (const [name, node] of Object.entries(nodes)) {
    const outputs = new Map();
    for (let index = 0; index < layers; index++) outputs.set(`y${index}`, tensor('F16', dims));
    const each = (graph) => {
      for (const [index, wire] of [...outputs.keys()].entries()) {
        graph.output(wire, node(graph, index), { dtype: 'F16', dims });
      }
    };
    // Nodes with inputs of one name would be one.
    const named = [...inputs].flatMap(([input, given]) =>
      Array.from({ length: layers }, (_, index) => [`${input}${index}`, given]),
    );
    const ms = timed(each, new Map(named), outputs);
    const last = outputs.get(`y${layers - 1}`);
    results[name] = { ms, values: read({ ...last, bytes: Math.min(last.bytes, 2 ** 24) }) };
    for (const { address } of outputs.values()) memory.free(address);
  }
  const micros = ({ ms }) => Number(((1000 * ms) / layers).toFixed(1));
  report(
    { ...what, layerMicroseconds: { own: micros(results.own), ort: micros(results.ort) } },
    apart(results.own.values, results.ort.values),
  );
  for (const { address } of inputs.values()) memory.free(address);
}

/** Of a vision layer: attention of queries, keys and values side by side, and the activation, each with its bias. */
function pictures(rows, tokens = 257, heads = 16, width = 88, inner = 6144) {
  const tensors = (columns) =>
    new Map([
      ['x', tensor('F16', [rows, tokens, columns], halves(rows * tokens * columns))],
      ['bias', tensor('F16', [columns], halves(columns))],
    ]);
  const own = (op, attributes) => (graph, index) =>
    graph.node(op, [`x${index}`, `bias${index}`], { name: `a${index}`, domain: 'blip2', attributes });
  const attributes = { num_heads: { int: heads }, scale: width ** -0.5 };
  compare({ picturesAttention: { tokens, width }, rows }, tensors(3 * heads * width), [rows, tokens, heads * width], {
    own: own('PackedAttention', attributes),
    ort: (graph, index) => {
      const parts = { name: `s${index}`, attributes: { axis: { int: -1 }, num_outputs: { int: 3 } } };
      const split = graph.nodes('Split', [`x${index}`], [true, true, true], parts);
      const options = { name: `a${index}`, domain: 'com.microsoft', attributes };
      return graph.node('MultiHeadAttention', [...split, `bias${index}`], options);
    },
  });
  compare({ picturesGelu: inner, rows }, tensors(inner), [rows, tokens, inner], {
    own: own('BiasGelu', {}),
    ort: (graph, index) =>
      graph.node('BiasGelu', [`x${index}`, `bias${index}`], { name: `a${index}`, domain: 'com.microsoft' }),
  });
}

function totalAddress(count) {
  const buffer = memory.allocateHost(4);
  new Int32Array(buffer.bytes.buffer, buffer.bytes.byteOffset, 1)[0] = count;
  return buffer.address;
}

for (const rows of values.rows.split(',').map(Number)) {
  if (values.only.includes('attention')) {
    attention(rows, 1, 43);
    if (rows <= 64) attention(rows, 33, 0);
    // ONNX Runtime's takes several tokens after others in one row only.
    if (rows === 1) attention(rows, 5, 12, 12, 64);
  }
  if (values.only.includes('caches') && rows <= 96) cacheForms(rows, 43);
  if (values.only.includes('pictures') && rows <= 64) pictures(rows);
  if (values.only.includes('int8')) products(8, rows);
  if (values.only.includes('int4')) products(4, rows);
  if (values.only.includes('linear')) for (const bits of [8, 4]) products(bits, rows, true);
}
process.exit(process.exitCode ?? 0);
