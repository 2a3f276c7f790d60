/** What runs once per picture: the vision model, the Q-Former, the projections and the heads of retrieval. */
import { isRetrieval } from '../../../../model/blip2-config.js';
import type { Block } from '../../../../model/blocks.js';
import { patchGrid } from '../../../../model/picture-size.js';
import { encodingOf } from '../../workload/encoding.js';
import { NO_TRAFFIC, run, work, type BlockWork, type WorkContext } from './block-work.js';

export function imageWork(block: Block, context: WorkContext): BlockWork {
  const { config, workload } = context;
  const { hiddenSize: d, intermediateSize: f, heads, imageSize, channels } = config.vision;
  const { rows: patchRows, columns, ownPositions } = patchGrid(config.vision, workload.pictureSize);
  const { height, width: pictureWidth } = workload.pictureSize ?? { height: imageSize, width: imageSize };
  const pixels = channels * height * pictureWidth;
  const s = patchRows * columns + 1;
  const q = config.numQueryTokens;
  const { hiddenSize: h, intermediateSize: fi } = config.qformer;
  const picture = s * d;
  const words = config.qformer.text === null ? 0 : Math.max(0, workload.promptTokens - q);
  const j = q + words;
  const languageWidth = isRetrieval(config) ? 0 : config.text.hiddenSize;
  const image = forPictures(context, {
    // What leads from block to block has two buffers each, but for the vision model's output.
    elements: 3 * picture + q * languageWidth,
    // Of texts, their ids in 64 bits and a mask.
    float32Elements: pixels + 2 * j * h + (words === 0 ? 0 : 2 * words + j),
  });

  switch (block.kind) {
    case 'vision-embeddings': {
      const patch = config.vision.channels * config.vision.patchSize ** 2;
      return image({
        flops: 2 * (s - 1) * patch * d,
        output: picture,
        activation: pixels + 2 * picture,
        // transformers interpolates the position table anew for every call.
        constant: ownPositions || context.engine === 'transformers' ? 0 : picture,
        hostElements: pixels,
      });
    }
    case 'vision-layer':
      return image({
        flops: 2 * s * (4 * d * d + 2 * d * f) + 4 * s * s * d,
        output: picture,
        activation: Math.max(2 * picture + 2 * s * f, 4 * picture + 2 * heads * s * s),
      });
    case 'vision-norm':
      return image({ flops: 8 * picture, output: picture, activation: 2 * picture });
    case 'query-tokens':
      return image({ flops: 0, output: picture + q * h, activation: q * h });
    case 'qformer-norm':
      return image({ flops: 8 * q * h, output: picture + j * h, activation: picture + 2 * j * h });
    case 'qformer-embeddings':
    case 'text-embeddings':
      return image({
        flops: 8 * j * h,
        output: picture + j * h,
        activation: picture + 2 * j * h,
        rowElements: 2 * words * h,
      });
    case 'qformer-layer': {
      const frequency = config.qformer.crossAttentionFrequency;
      const cross = block.index % frequency === 0;
      const last = config.qformer.layers - 1;
      const pictureStillNeeded = block.index < last - (last % frequency);
      const rows = config.qformer.heads;
      return image({
        flops:
          8 * j * h * h + 4 * j * j * h + 4 * j * h * fi + (cross ? 4 * q * h * h + 4 * s * d * h + 4 * q * s * h : 0),
        output: j * h + (pictureStillNeeded ? picture : 0),
        activation:
          picture +
          Math.max(
            4 * j * h + 2 * rows * j * j,
            2 * j * h + 2 * j * fi,
            cross ? 2 * j * h + 2 * s * h + 2 * rows * q * s : 0,
          ),
      });
    }
    case 'vision-projection':
    case 'text-projection':
    case 'match-head': {
      const width = block.kind === 'match-head' ? 2 : isRetrieval(config) ? config.embedSize : 0;
      const rows = block.kind === 'text-projection' ? words : q;
      return image({
        flops: 2 * rows * h * width,
        output: j * h,
        activation: rows * (h + width),
        hostElements: rows * width,
      });
    }
    case 'projection':
      return image({
        flops: 2 * q * h * languageWidth,
        output: q * languageWidth,
        activation: q * (h + languageWidth),
      });
    default:
      throw new RangeError(`${block.name} does not run once per picture`);
  }
}

interface PerPicture {
  readonly flops: number;
  readonly output: number;
  readonly activation: number;
  /** Elements that a table look-up reads. */
  readonly rowElements?: number;
  /** Of one picture, in one transfer for each micro-batch. */
  readonly hostElements?: number;
  /** Elements of a constant in the graph, however many pictures. */
  readonly constant?: number;
}

/** Micro-batches of a call's pictures, one after the other through each block. */
function forPictures(
  { config, workload, engine }: WorkContext,
  held: BlockWork['waiting'],
): (per: PerPicture) => BlockWork {
  const { batch } = workload;
  const isApart = engine === 'blip2-run' && !isRetrieval(config);
  const { together, perSweep } = encodingOf(isApart ? workload : { batch });
  const runs = Math.ceil(batch / together);
  const waitingPictures = perSweep - together;
  return (per) =>
    work(
      [
        run('image', runs, {
          copies: batch / perSweep,
          flops: (batch / runs) * per.flops,
          outputElements: (batch / runs) * per.output,
          rowElements: per.rowElements === undefined ? null : (batch / runs) * per.rowElements,
        }),
      ],
      {
        activationElements: together * per.activation,
        waiting: {
          elements: waitingPictures * held.elements,
          float32Elements: waitingPictures * held.float32Elements,
        },
        constantElements: per.constant ?? 0,
        hostTraffic:
          per.hostElements === undefined ? NO_TRAFFIC : { transfers: runs, elements: batch * per.hostElements },
      },
    );
}
