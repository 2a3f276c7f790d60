/**
 * The loader without the rest: weights of a checkpoint in another runtime, here a hand-made graph in ONNX Runtime that
 * projects a picture's query outputs to the width of the language model.
 *
 *   npm run build && node examples/another-runtime.mjs [checkpoint]
 */
import { mapTensors, openCheckpoint, sliceTensor, typedArray } from 'blip2-device-map/loader';
import {
  AttributeProto_AttributeType,
  ModelProtoSchema,
  TensorProto_DataType,
} from '../dist/src/runtime/onnx/onnx_pb.js';
import { create, toBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const where = process.argv[2] ?? new URL('../models/demo', import.meta.url).pathname;
const checkpoint = await openCheckpoint(where);
const mapped = await mapTensors(checkpoint, ['language_projection.weight', 'language_projection.bias', 'query_tokens']);

/** A view of the file's own pages, as the other runtime wants it. */
function toTensor(view) {
  if (view.dtype !== 'F32') throw new Error(`${view.name} is ${view.dtype}; this example takes float32`);
  return new Tensor('float32', typedArray(view), [...view.shape]);
}

const weight = mapped.get('language_projection.weight');
const bias = mapped.get('language_projection.bias');
// The first of the learned queries, [1, width]: any input will do.
const query = sliceTensor(mapped.get('query_tokens'), [0, { stop: 1 }]);

const value = (name) => ({
  name,
  type: { value: { case: 'tensorType', value: { elemType: TensorProto_DataType.FLOAT } } },
});
const model = create(ModelProtoSchema, {
  irVersion: 9n,
  opsetImport: [{ version: 17n }],
  graph: {
    name: 'projection',
    node: [
      {
        opType: 'Gemm',
        input: ['x', 'weight', 'bias'],
        output: ['y'],
        attribute: [{ name: 'transB', type: AttributeProto_AttributeType.INT, i: 1n }],
      },
    ],
    input: ['x', 'weight', 'bias'].map(value),
    output: [value('y')],
  },
});
const session = await InferenceSession.create(toBinary(ModelProtoSchema, model));
const { y } = await session.run({ x: toTensor(query), weight: toTensor(weight), bias: toTensor(bias) });
await session.release();

// The same by hand, from the same views.
const [x, w, b] = [query, weight, bias].map(typedArray);
const [outWidth, inWidth] = weight.shape;
let worst = 0;
for (let row = 0; row < outWidth; row++) {
  let sum = b[row];
  for (let column = 0; column < inWidth; column++) sum += x[column] * w[row * inWidth + column];
  worst = Math.max(worst, Math.abs(sum - y.data[row]));
}
mapped.close();
console.log(
  `${outWidth} outputs of ${inWidth} inputs; the largest difference to the same sums by hand is ${worst.toExponential(1)}`,
);
if (!(worst < 1e-4)) process.exitCode = 1;
