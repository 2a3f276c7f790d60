/**
 * What one block of BLIP-2 costs: FLOPs, bytes read, caches and activations, for a workload.
 *
 * Letters as usual: S vision tokens, Q query tokens, T prompt tokens (queries included), N new tokens. A Q-Former that
 * reads text, too, has T rows instead of Q. A decoder runs
 * once over the prompt and N-1 times over one token; the T5 decoder runs N times, its cross keys and values once. Peaks
 * of activations are those of unfused attention, the larger of attention and feed-forward.
 */
import { isRetrieval, type ModelConfig } from '../../model/blip2-config.js';
import type { DecoderOnlyConfig, T5Config } from '../../model/language-config.js';
import type { Block, BlockPhase } from '../../model/blocks.js';
import type { Workload } from './workload.js';

export interface RunCost {
  readonly phase: BlockPhase;
  readonly runs: number;
  readonly flops: number;
  /** Which tensors of the block a run needs: the keys and values of T5's cross-attention are made once per prompt. */
  readonly uses: 'all' | 'cross-keys' | 'all-but-cross-keys';
  /** Elements that a table look-up reads; null where a run reads its tensors whole. */
  readonly rowElements: number | null;
  readonly stateElements: number;
  readonly outputElements: number;
}

export interface BlockWork {
  readonly runs: readonly RunCost[];
  readonly cacheElements: number;
  readonly activationElements: number;
  readonly extraInputs: readonly {
    readonly from: string;
    readonly phase: BlockPhase;
    readonly runs: number;
    readonly elements: number;
  }[];
  readonly hostTraffic: { readonly transfers: number; readonly elements: number };
}

export interface WorkContext {
  readonly config: ModelConfig;
  readonly workload: Workload;
  /** Rows per picture during the prompt: the beams where the engine copies prompts per beam, else 1. */
  readonly prefillRowsPerPicture: number;
}

const NO_TRAFFIC = { transfers: 0, elements: 0 } as const;

export function blip2Work(block: Block, context: WorkContext): BlockWork {
  const { config, workload } = context;
  const pictures = workload.batch;
  const { hiddenSize: d, intermediateSize: f, heads } = config.vision;
  const s = Math.floor(config.vision.imageSize / config.vision.patchSize) ** 2 + 1;
  const q = config.numQueryTokens;
  const { hiddenSize: h, intermediateSize: fi } = config.qformer;
  const picture = s * d;
  const words = config.qformer.text === null ? 0 : Math.max(0, workload.promptTokens - q);
  const j = q + words;

  switch (block.kind) {
    case 'vision-embeddings': {
      const patch = config.vision.channels * config.vision.patchSize ** 2;
      const pixels = config.vision.channels * config.vision.imageSize ** 2;
      return image(pictures, {
        flops: 2 * (s - 1) * patch * d,
        output: picture,
        activation: pixels + 2 * picture,
        hostTraffic: { transfers: 1, elements: pictures * pixels },
      });
    }
    case 'vision-layer':
      return image(pictures, {
        flops: 2 * s * (4 * d * d + 2 * d * f) + 4 * s * s * d,
        output: picture,
        activation: Math.max(2 * picture + 2 * s * f, 4 * picture + 2 * heads * s * s),
      });
    case 'vision-norm':
      return image(pictures, { flops: 8 * picture, output: picture, activation: 2 * picture });
    case 'query-tokens':
      return image(pictures, { flops: 0, output: picture + q * h, activation: q * h });
    case 'qformer-norm':
      return image(pictures, { flops: 8 * q * h, output: picture + j * h, activation: picture + 2 * j * h });
    case 'qformer-embeddings':
    case 'text-embeddings':
      return image(pictures, {
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
      return image(pictures, {
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
      return image(pictures, {
        flops: 2 * rows * h * width,
        output: j * h,
        activation: rows * (h + width),
        hostTraffic: { transfers: 1, elements: pictures * rows * width },
      });
    }
    case 'projection': {
      const width = isRetrieval(config) ? 0 : config.text.hiddenSize;
      return image(pictures, { flops: 2 * q * h * width, output: q * width, activation: q * (h + width) });
    }
    default:
      if (isRetrieval(config)) return image(pictures, { flops: 0, output: 0, activation: 0 });
      return config.text.family === 't5'
        ? t5Work(block, config.text, context)
        : decoderWork(block, config.text, context);
  }
}

interface PerPicture {
  readonly flops: number;
  readonly output: number;
  readonly activation: number;
  /** Elements that a table look-up reads. */
  readonly rowElements?: number;
  readonly hostTraffic?: BlockWork['hostTraffic'];
}

function image(pictures: number, per: PerPicture): BlockWork {
  return {
    runs: [
      run('image', 1, {
        flops: pictures * per.flops,
        outputElements: pictures * per.output,
        ...(per.rowElements === undefined ? {} : { rowElements: pictures * per.rowElements }),
      }),
    ],
    cacheElements: 0,
    activationElements: pictures * per.activation,
    extraInputs: [],
    hostTraffic: per.hostTraffic ?? NO_TRAFFIC,
  };
}

function run(phase: BlockPhase, runs: number, cost: Partial<RunCost>): RunCost {
  return {
    phase,
    runs,
    flops: cost.flops ?? 0,
    uses: cost.uses ?? 'all',
    rowElements: cost.rowElements ?? null,
    stateElements: cost.stateElements ?? 0,
    outputElements: cost.outputElements ?? 0,
  };
}

function work(runs: readonly RunCost[], rest: Partial<BlockWork>): BlockWork {
  return {
    runs: runs.filter((each) => each.runs > 0),
    cacheElements: rest.cacheElements ?? 0,
    activationElements: rest.activationElements ?? 0,
    extraInputs: rest.extraInputs ?? [],
    hostTraffic: rest.hostTraffic ?? NO_TRAFFIC,
  };
}

function decoderWork(
  block: Block,
  text: DecoderOnlyConfig,
  { workload, prefillRowsPerPicture }: WorkContext,
): BlockWork {
  const { batch, beams, promptTokens: t, newTokens } = workload;
  const { hiddenSize: d, ffnSize: f, vocabSize: v, heads } = text;
  const e = text.family === 'opt' ? text.embedSize : d;
  const inner = text.family === 'llama' ? heads * text.headSize : d;
  const gates = text.family === 'llama' ? 3 : 2;
  const prompts = batch * prefillRowsPerPicture;
  const rows = batch * beams;
  const steps = newTokens - 1;
  const length = t + newTokens;
  // Mean length of the cache over the decode steps, the new token included.
  const mean = t + newTokens / 2;
  const perToken = (prompt: Partial<RunCost>, token: Partial<RunCost>) => [
    run('prompt', 1, prompt),
    run('token', steps, token),
  ];
  const linear = (inSize: number, outSize: number) =>
    work(
      perToken(
        { flops: 2 * prompts * t * inSize * outSize, outputElements: prompts * t * outSize },
        { flops: 2 * rows * inSize * outSize, outputElements: rows * outSize },
      ),
      { activationElements: Math.max(prompts * t, rows) * (inSize + outSize) },
    );
  const lookUp = (width: number, hostTransfers: number) =>
    work(
      perToken(
        { rowElements: prompts * t * width, outputElements: prompts * t * d },
        { rowElements: rows * width, outputElements: rows * d },
      ),
      {
        activationElements: Math.max(prompts * t, rows) * width * 2,
        hostTraffic: { transfers: hostTransfers, elements: hostTransfers === 0 ? 0 : prompts * t + steps * rows },
      },
    );

  switch (block.kind) {
    case 'opt-tokens':
    case 'llama-tokens':
      return lookUp(e, newTokens);
    case 'opt-positions':
      return lookUp(d, 0);
    case 'opt-project-in':
      return linear(e, d);
    case 'opt-project-out':
      return linear(d, e);
    case 'opt-layer':
    case 'llama-layer': {
      const weights = 4 * d * inner + gates * d * f;
      return work(
        perToken(
          {
            flops: prompts * (2 * t * weights + 4 * t * t * inner),
            stateElements: prompts * 2 * t * inner,
            outputElements: prompts * t * d,
          },
          {
            flops: rows * (2 * weights + 4 * mean * inner),
            stateElements: rows * 2 * mean * inner,
            outputElements: rows * d,
          },
        ),
        {
          cacheElements: rows * 2 * length * inner,
          activationElements: Math.max(
            prompts * Math.max(2 * t * d + gates * t * f, 2 * t * d + 3 * t * inner + 2 * heads * t * t),
            // A step holds the grown cache of one layer beside the old one.
            rows * (2 * length * inner + 2 * heads * length + 2 * d + 3 * inner),
          ),
        },
      );
    }
    case 'opt-norm':
    case 'llama-norm':
      return work(
        perToken(
          { flops: 8 * prompts * t * d, outputElements: prompts * t * d },
          { flops: 8 * rows * d, outputElements: rows * d },
        ),
        { activationElements: Math.max(prompts * t, rows) * 2 * d },
      );
    default:
      return headWork({ vocabSize: v, width: e, prompts, rows, prefillRuns: 1, steps });
  }
}

function t5Work(block: Block, text: T5Config, { workload, prefillRowsPerPicture }: WorkContext): BlockWork {
  const { batch, beams, promptTokens: t, newTokens } = workload;
  const { hiddenSize: d, ffnSize: f, vocabSize: v, heads } = text;
  const inner = heads * text.headSize;
  const gates = text.gated ? 3 : 2;
  const prompts = batch * prefillRowsPerPicture;
  const rows = batch * beams;
  const mean = (newTokens + 1) / 2;

  switch (block.kind) {
    case 't5-tokens':
      return work(
        [
          run('prompt', 1, { rowElements: prompts * t * d, outputElements: prompts * t * d }),
          run('token', newTokens, { rowElements: rows * d }),
        ],
        {
          activationElements: Math.max(prompts * t, rows) * 2 * d,
          hostTraffic: { transfers: 1 + newTokens, elements: prompts * t + newTokens * rows },
        },
      );
    case 't5-encoder-layer':
      return work(
        [
          run('prompt', 1, {
            flops: prompts * (2 * t * (4 * d * inner + gates * d * f) + 4 * t * t * inner),
            outputElements: prompts * t * d,
          }),
        ],
        { activationElements: prompts * t5Peak(t, d, f, inner, heads, t) },
      );
    case 't5-encoder-norm':
    case 't5-decoder-norm': {
      const encoder = block.kind === 't5-encoder-norm';
      const tokens = encoder ? prompts * t : rows;
      return work(
        [
          run(encoder ? 'prompt' : 'token', encoder ? 1 : newTokens, {
            flops: 6 * tokens * d,
            outputElements: tokens * d,
          }),
        ],
        { activationElements: 2 * tokens * d },
      );
    }
    case 't5-decoder-layer': {
      const crossKeys = 2 * d * inner;
      const perStep = 6 * d * inner + gates * d * f;
      return work(
        [
          run('prompt', 1, {
            flops: prompts * 2 * t * crossKeys,
            uses: 'cross-keys',
            stateElements: prompts * 2 * t * inner,
            // The encoder's output travels on to the layers that have not read it yet.
            outputElements: block.index < text.decoderLayers - 1 ? prompts * t * d : 0,
          }),
          run('token', newTokens, {
            flops: rows * (2 * perStep + 4 * (mean + t) * inner),
            uses: 'all-but-cross-keys',
            stateElements: rows * 2 * mean * inner + prompts * 2 * t * inner,
            outputElements: rows * d,
          }),
        ],
        {
          cacheElements: rows * 2 * newTokens * inner + prompts * 2 * t * inner,
          activationElements: Math.max(
            prompts * (t * d + 2 * t * inner),
            rows * (2 * newTokens * inner + t5Peak(1, d, f, inner, heads, t + newTokens)),
          ),
          // The token just chosen is looked up anew for the first layer of every step.
          extraInputs:
            block.index === 0
              ? [{ from: 'language_model.shared', phase: 'token', runs: newTokens, elements: rows * d }]
              : [],
        },
      );
    }
    default:
      return headWork({ vocabSize: v, width: d, prompts, rows, prefillRuns: 0, steps: newTokens });
  }
}

function t5Peak(tokens: number, d: number, f: number, inner: number, heads: number, keys: number): number {
  return Math.max(2 * tokens * d + 3 * tokens * f, 2 * tokens * d + 4 * tokens * inner + 2 * heads * tokens * keys);
}

interface HeadSizes {
  readonly vocabSize: number;
  readonly width: number;
  readonly prompts: number;
  readonly rows: number;
  readonly prefillRuns: number;
  readonly steps: number;
}

/** The head over the last position only, and its logits on their way to the host. */
function headWork({ vocabSize, width, prompts, rows, prefillRuns, steps }: HeadSizes): BlockWork {
  return work(
    [
      run('prompt', prefillRuns, { flops: 2 * prompts * vocabSize * width }),
      run('token', steps, { flops: 2 * rows * vocabSize * width }),
    ],
    {
      // Logits in the compute dtype and twice in float32 (a copy, and the scores made of it).
      activationElements: Math.max(prompts, rows) * (width + 5 * vocabSize),
      hostTraffic: {
        transfers: prefillRuns + steps,
        elements: (prefillRuns * prompts + steps * rows) * vocabSize,
      },
    },
  );
}
