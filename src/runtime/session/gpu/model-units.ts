/** The programs of a model that captions, cut into units, with the operators of our own that suit the work of its plan. */
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { Workload } from '../../../planner/profile/workload/workload.js';
import {
  GPU_LAYERS,
  GPU_LAYERS_APART,
  gpuCacheWires,
  gpuImageSteps,
  gpuPromptSteps,
  gpuTokenSteps,
} from '../../graph/gpu/gpu-programs.js';
import type { Step } from '../../graph/program.js';
import type { OwnOperators, StageSources } from '../../graph/stage-builder.js';
import type { Weights } from '../../graph/weights.js';
import type { EngineSources } from './program/started-programs.js';
import { gpuUnits } from './units/gpu-units.js';

/** What a plan says of the pictures that run together. */
export type PlannedWork = Pick<Workload, 'batch' | 'beams' | 'encoded'>;

/** Whether several rows are to run together, or may be: a map says nothing of its work. */
export const isOfRows = (planned: PlannedWork | undefined): boolean =>
  planned === undefined || planned.batch * planned.beams > 1;

/** Pictures of a micro-batch from which the host has time to ask for products of our own: some 25 us each, of which a layer has four. */
const LEAST_TUNED_PICTURES = 32;

function operatorsFor(planned: PlannedWork | undefined): OwnOperators {
  const [ofRows, encoded] = [isOfRows(planned), planned?.encoded ?? planned?.batch ?? Infinity];
  return {
    attention: true,
    products: ofRows,
    activations: ofRows,
    mixed: true,
    tuned: encoded >= LEAST_TUNED_PICTURES,
  };
}

export function modelUnits(
  { config, picture, placeOf }: EngineSources<Blip2Config>,
  weights: Weights,
  planned: PlannedWork | undefined,
) {
  const own = operatorsFor(planned);
  const layers = planned?.encoded === undefined ? GPU_LAYERS : GPU_LAYERS_APART;
  const sources = { config, weights, folder: '/', picture };
  const units = (
    steps: readonly Step[],
    outputs: readonly string[],
    operators: Pick<StageSources, 'own' | 'joinsRows'> = {},
    isRecorded = false,
  ) => gpuUnits(steps, { ...sources, ...operators }, placeOf, outputs, layers, isRecorded);
  const caches = (program: 'prompt' | 'token', steps: readonly Step[]) =>
    steps.flatMap(({ block }) => gpuCacheWires(program, block));
  const [prompt, token] = [gpuPromptSteps(config), gpuTokenSteps(config)];
  const image = (operators: { readonly own?: OwnOperators }) =>
    units(gpuImageSteps(config), ['language_input'], operators);
  const ofMany = own.activations ? { own: { ...own, products: false } } : {};
  const ofStep = { own: { ...own, tuned: false }, joinsRows: true };
  return {
    image: image(ofMany),
    /** The same for few pictures: the host takes longer to ask for operators of our own than a card for one picture. */
    imageAlone: () => image({}),
    prompt: units(prompt, caches('prompt', prompt), ofMany),
    token: units(token, ['logits', 'next_ids', ...caches('token', token)], ofStep, true),
  };
}
