/** What callers without types get wrong: unchecked, a plan would be made with it in silence, or fail somewhere inside. */
import { errorText, option } from '../../../error-text.js';
import { Blip2Error } from '../../../errors.js';
import { DTYPE_BITS, isDtype } from '../../../tensor/dtype.js';
import { LOAD_DTYPES } from '../../../tensor/load-dtype.js';
import { QUANT_SCHEMES } from '../../../tensor/quantized.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { ENGINES } from '../../map/engine.js';
import { GPU_PROVIDERS, OBJECTIVES, type PlanOptions } from './plan-options.js';

type Check = readonly [isRight: (value: unknown) => boolean, allowed: string];

const oneOf = (allowed: readonly string[]): Check => [
  (value) => typeof value === 'string' && allowed.includes(value),
  `one of ${allowed.join(', ')}`,
];
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isDevice = (value: unknown): boolean => value === 'cpu' || value === 'disk' || isCount(value);
const [isLoadDtype, loadDtypes] = oneOf(LOAD_DTYPES);
const [isScheme, schemes] = oneOf(QUANT_SCHEMES);
const dtypes = Object.keys(DTYPE_BITS).join(', ');
const SIDES = 'sides have to be whole numbers, from 0 up';

const CHECKS: ReadonlyMap<string, Check> = new Map([
  [
    'budgets',
    [
      (value) => typeof value === 'object' && value !== null && 'gpus' in value && isMap(value.gpus),
      '{ gpus: a Map of GPU number -> bytes, ramBytes, diskBytes }',
    ],
  ],
  ['dtype', oneOf(LOAD_DTYPES)],
  ['dtypes', [(value) => isMapOf(value, isLoadDtype), `a Map of module path -> ${loadDtypes}`]],
  ['engine', oneOf(ENGINES)],
  ['provider', oneOf(GPU_PROVIDERS)],
  ['objective', oneOf(OBJECTIVES)],
  ['names', oneOf(['loaded', 'file'])],
  ['pageLocked', [(value) => typeof value === 'boolean', 'true or false']],
  ['pins', [(value) => isMapOf(value, isDevice), 'a Map of module path -> GPU number, "cpu" or "disk"']],
  ['allowQuant', [(value) => Array.isArray(value) && value.every(isScheme), `an array of ${schemes}`]],
  ['reserveBytes', [isCount, 'a whole number of bytes, from 0 up']],
  ['timeLimitMs', [(value) => typeof value === 'number' && value >= 0, 'milliseconds, from 0 up']],
]);

/** @throws Blip2Error `OPTION_INVALID` naming the option, or the tensor, its value and what it may be */
export function checkOptions(tensors: TensorTable, options: Pick<PlanOptions, 'engine' | 'pageLocked'>): void {
  for (const [name, value] of Object.entries(options)) {
    const [isRight, allowed] = CHECKS.get(name) ?? [];
    if (isRight === undefined || value === undefined || isRight(value)) continue;
    throw invalid(`${name} is ${shown(value)}; it has to be ${allowed}`, { name, value });
  }
  if (options.pageLocked === true && options.engine !== 'transformers')
    throw new Blip2Error(
      'OPTION_INVALID',
      errorText`${option('pageLocked')} is for transformers: blip2-run page-locks what it streams by itself.`,
      { hint: errorText`Leave ${option('pageLocked')} out, or plan for transformers.` },
    );
  if (!isMap(tensors))
    throw invalid(`tensors are ${shown(tensors)}; they have to be a Map of name -> { dtype, shape }`, {});
  for (const [name, { dtype, shape }] of tensors) {
    if (!isDtype(dtype))
      throw invalid(`tensor ${name} is of dtype ${shown(dtype)}; it has to be one of ${dtypes}`, { name });
    if (!shape.every(isCount)) throw invalid(`tensor ${name} has the shape ${shown(shape)}; ${SIDES}`, { name });
  }
}

const isMap = (value: unknown): value is ReadonlyMap<unknown, unknown> =>
  typeof value === 'object' && value !== null && 'get' in value && 'values' in value && Symbol.iterator in value;

const isMapOf = (value: unknown, isRight: (value: unknown) => boolean): boolean =>
  isMap(value) && [...value.values()].every(isRight);

function shown(value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (isMap(value)) return `a Map of ${JSON.stringify([...value].slice(0, 3))}`;
  return JSON.stringify(value)?.slice(0, 80) ?? typeof value;
}

const invalid = (message: string, details: Readonly<Record<string, unknown>>): Blip2Error =>
  new Blip2Error('OPTION_INVALID', message, { details });
