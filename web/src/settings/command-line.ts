/** The settings as a command that gives the same plan. */
import { exactSize } from '../../../src/size.js';
import { areWhole, cardsOf, memoryOf } from './card-groups.js';
import { DEFAULT_SETTINGS, type Settings } from './settings.js';

/** Arguments of `blip2-plan`, the checkpoint first. */
export function commandArguments(settings: Settings, checkpoint: string): string[] {
  const { groups, ramBytes, diskBytes, reserveBytes, countContext, batch, beams } = settings;
  const cards = cardsOf(groups);
  const isWhole = areWhole(groups);
  const flag = (name: string, value: string | number | null): string[] => (value === null ? [] : [name, String(value)]);
  return [
    checkpoint,
    ...(cards.every(({ card }) => card !== null) ? cards.flatMap(({ card }) => flag('--gpu', card)) : []),
    ...(isWhole ? [] : cards.flatMap((card) => flag('--vram', exactSize(memoryOf(card))))),
    ...(countContext === (isWhole && cards.length > 0) || cards.length === 0
      ? []
      : [countContext ? '--count-context' : '--count-context=false']),
    ...flag('--ram', ramBytes === null ? null : exactSize(ramBytes)),
    ...flag('--disk', diskBytes === 0 ? null : exactSize(diskBytes)),
    ...flag('--reserve', reserveBytes === 0 ? null : exactSize(reserveBytes)),
    ...flag('--batch', batch === 1 ? null : batch),
    ...flag('--beams', beams === 1 ? null : beams),
    ...flag('--prompt-tokens', settings.promptTokens),
    ...flag('--max-new-tokens', settings.newTokens),
    ...flag('--dtype', settings.dtype),
    ...flag('--allow-quant', settings.quant.length === 0 ? null : settings.quant.join(',')),
    ...flag('--engine', settings.engine),
    ...flag('--objective', settings.objective === DEFAULT_SETTINGS.objective ? null : settings.objective),
    ...(settings.cutsLayers ? ['--cut-layers'] : []),
    ...(settings.pageLocked ? ['--page-lock'] : []),
    ...flag('--time-limit', settings.searchSeconds),
  ];
}

/** What to type, quoted as shells want it. */
export function commandLine(settings: Settings, checkpoint: string): string {
  return ['npx blip2-plan', ...commandArguments(settings, checkpoint).map(quoted)].join(' ');
}

function quoted(word: string): string {
  return /^[\w./:@=+,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
