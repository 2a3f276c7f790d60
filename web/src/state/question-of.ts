import { isBlip2 } from '../../../src/model/blip2-config.js';
import { loadAsset } from '../assets/lazy-asset.js';
import type { OpenModel } from '../model/open-model.js';
import type { CarriedOptions } from '../settings/plan-options.js';
import type { Settings } from '../settings/settings.js';
import { wantsHighs } from '../settings/wants-highs.js';
import type { Ask } from '../worker/planner-client.js';

/** What a worker is asked, with those large parts of the page that it takes: the table of classes, the integer solver. */
export async function questionOf(
  settings: Settings,
  model: OpenModel,
  carried: CarriedOptions | undefined,
): Promise<Omit<Ask, 'wanted' | 'onReply'>> {
  const table = isBlip2(model.config) ? null : await loadAsset('models');
  // By itself the command has it always; a page that stands alone says that its plan is a heuristic's.
  const isAsked = settings.searchSeconds !== null;
  const highs = wantsHighs(settings)
    ? await loadAsset('highs').catch((error: unknown) => giveUp(error, isAsked))
    : null;
  const text = (parts: ReadonlyMap<string, Uint8Array>, part: string) => new TextDecoder().decode(parts.get(part));
  const wasmBinary = highs?.get('wasm')?.buffer;
  return {
    model,
    settings,
    table: table === null ? null : text(table, 'table'),
    highs: highs === null || wasmBinary === undefined ? null : { script: text(highs, 'script'), wasmBinary },
    ...(carried === undefined ? {} : { carried }),
  };
}

function giveUp(error: unknown, isAsked: boolean): null {
  if (isAsked) throw error;
  return null;
}
