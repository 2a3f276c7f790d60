import { Blip2Error } from '../../errors.js';
import { errorText, option, type ErrorText } from '../../error-text.js';
import type { Checkpoint } from '../../loader/checkpoint/checkpoint.js';
import type { VisionConfig } from '../../model/blip2-config.js';
import type { PictureSize } from '../../model/picture-size.js';
import type { Device } from '../../planner/map/device-map.js';
import type { LackingFor } from '../../planner/plan/comparison/lacking-memory.js';
import type { PlanDocument } from '../../planner/plan/document/plan-document.js';
import type { Workload } from '../../planner/profile/workload/workload.js';
import { encodingOf, MOST_TOGETHER } from '../../planner/profile/workload/encoding.js';
import { formatSize } from '../../size.js';
import type { DeviceOptions } from '../device/device-options.js';

/** A workload whose pictures have a size, said or not. */
export type AskedWork = Workload & { readonly pictureSize: PictureSize };

/** What the budgets of a plan have room for. A plan is a promise about memory: larger work would break it. */
export class PlannedRoom {
  readonly #checkpoint: Pick<Checkpoint, 'tensors' | 'config'>;
  readonly #plan: PlanDocument;
  readonly #provider: DeviceOptions['provider'];
  /** Prepared where larger work is asked first. */
  #lackingFor: LackingFor | null = null;
  /** Work that is known to fit. */
  readonly #fitting: AskedWork[];

  /**
   * @returns null without a plan: a device map promises nothing
   */
  static of(
    checkpoint: Pick<Checkpoint, 'tensors' | 'config'>,
    { imageSize }: VisionConfig,
    { plan, provider }: DeviceOptions,
  ): PlannedRoom | null {
    const ownSize = { height: imageSize, width: imageSize };
    return plan === undefined ? null : new PlannedRoom(checkpoint, plan, provider, ownSize);
  }

  private constructor(
    checkpoint: Pick<Checkpoint, 'tensors' | 'config'>,
    plan: PlanDocument,
    provider: DeviceOptions['provider'],
    ownSize: PictureSize,
  ) {
    this.#checkpoint = checkpoint;
    this.#plan = plan;
    this.#provider = provider;
    this.#fitting = [{ ...plan.workload, pictureSize: plan.workload.pictureSize ?? ownSize }];
  }

  /** Pictures per call of the planned work. */
  get plannedBatch(): number {
    return this.#plan.workload.batch;
  }

  /** Tokens of the longest prompt that was planned for. */
  get promptTokens(): number {
    return this.#plan.workload.promptTokens;
  }

  /** Pictures that are encoded in one go where so many are decoded at once. */
  picturesPerSweep(pictures: number): number {
    const { encoded } = this.#plan.workload;
    return encoded === undefined
      ? Math.min(pictures, MOST_TOGETHER)
      : encodingOf({ batch: pictures, encoded }).perSweep;
  }

  /**
   * Work that is no larger than the planned one fits, and so does larger work where the plan leaves enough free.
   * @throws Blip2Error `PLAN_MISMATCH` with what was planned, what is asked, and what is missing
   */
  async check(asked: AskedWork): Promise<void> {
    const lacking = await this.#lacking(asked);
    if (lacking.size > 0) throw this.#refusal(asked, lacking);
  }

  async has(asked: AskedWork): Promise<boolean> {
    return (await this.#lacking(asked)).size === 0;
  }

  async #lacking(asked: AskedWork): Promise<ReadonlyMap<Device, number>> {
    if (this.#fitting.some((known) => isWithin(asked, known))) return new Map();
    this.#lackingFor ??= await this.#prepared();
    // However many pictures there are, the engine encodes so many together.
    const { encoded = MOST_TOGETHER, caches } = this.#plan.workload;
    const lacking = this.#lackingFor({ ...asked, encoded, ...(caches === undefined ? {} : { caches }) });
    if (lacking.size === 0) this.#fitting.push(asked);
    return lacking;
  }

  async #prepared(): Promise<LackingFor> {
    const [{ lackingMemory }, { likelyGpuProvider }] = await Promise.all([
      import('../../planner/plan/comparison/lacking-memory.js'),
      import('../device/choose-provider.js'),
    ]);
    const provider = likelyGpuProvider(this.#provider ?? 'auto');
    return lackingMemory(this.#plan, { ...this.#checkpoint, provider });
  }

  /**
   * Before there is a model: whether even the least work with pictures of this size has room.
   * @throws Blip2Error `PLAN_MISMATCH`
   */
  async checkPictures(pictureSize: PictureSize): Promise<void> {
    await this.check({ batch: 1, beams: 1, promptTokens: 1, newTokens: 1, pictureSize });
  }

  #refusal(asked: AskedWork, lacking: ReadonlyMap<Device, number>): Blip2Error {
    const [planned = asked] = this.#fitting;
    const larger = NUMBERS.filter(([field]) => asked[field] > planned[field]);
    const list = (work: AskedWork) =>
      listed([
        ...larger.map(([field, name]) => errorText`${option(name)} ${work[field]}`),
        ...(isPictureWithin(asked, planned) ? [] : [sizeText(work.pictureSize)]),
      ]);
    const short = [...lacking].map(([id, bytes]) => {
      const budgetBytes = this.#plan.devices.find((device) => device.id === id)?.budgetBytes ?? 0;
      return `${formatSize(bytes)} more than the ${formatSize(budgetBytes)} of ${typeof id === 'number' ? `GPU ${id}` : id}`;
    });
    return new Blip2Error(
      'PLAN_MISMATCH',
      errorText`the plan was made for ${list(planned)}; ${list(asked)} would take ${short.join(' and ')}`,
      {
        hint: errorText`Plan again for ${list(asked)}, or ask for less.`,
        details: { planned, asked, lackingBytes: Object.fromEntries(lacking) },
      },
    );
  }
}

/** What grows a workload, and how a caller says it. */
const NUMBERS = [
  ['batch', 'batchSize'],
  ['beams', 'numBeams'],
  ['promptTokens', 'promptTokens'],
  ['newTokens', 'maxNewTokens'],
] as const;

const sizeText = ({ width, height }: PictureSize): ErrorText => errorText`${option('pictureSize')} ${width}x${height}`;

const listed = (texts: readonly ErrorText[]): ErrorText =>
  texts.reduce((list, text, i) => (i === 0 ? text : errorText`${list}, ${text}`), '');

function isWithin(asked: AskedWork, known: AskedWork): boolean {
  return NUMBERS.every(([field]) => asked[field] <= known[field]) && isPictureWithin(asked, known);
}

function isPictureWithin({ pictureSize: asked }: AskedWork, { pictureSize: known }: AskedWork): boolean {
  return asked.width <= known.width && asked.height <= known.height;
}
