import { Blip2Error } from '../../../errors.js';
import { errorText, option } from '../../../error-text.js';
import {
  resolveGenerationOptions,
  sequencesAtOnce,
  type GenerationSettings,
  type StepOptions,
  type TokenIds,
} from '../../generation/generation-options.js';
import type { StepSettings } from '../../generation/open-sequences.js';

/**
 * Checks the options of a picture that has its own. The call's say how much there is room for.
 * @throws Blip2Error `OPTION_INVALID` where the picture asks for more, or the call for beams, which pictures begin and end
 *   together
 */
export function checkOwnOptions(own: StepOptions, call: GenerationSettings, ids: TokenIds): void {
  const settings = resolveGenerationOptions(own, ids);
  if (call.strategy.kind === 'beam' || settings.strategy.kind === 'beam') {
    throw new Blip2Error('OPTION_INVALID', 'a picture of a call has options of its own only where neither has beams');
  }
  const wanted = { maxNewTokens: settings.maxNewTokens, numReturnSequences: sequencesAtOnce(settings.strategy) };
  const most = { maxNewTokens: call.maxNewTokens, numReturnSequences: sequencesAtOnce(call.strategy) };
  for (const name of ['maxNewTokens', 'numReturnSequences'] as const) {
    if (wanted[name] <= most[name]) continue;
    const message = errorText`${option(name)} is ${wanted[name]}; this call has room for ${most[name]}`;
    throw new Blip2Error('OPTION_INVALID', message, { details: { option: name, value: wanted[name] } });
  }
}

export function steppedSettings({ strategy, ...settings }: GenerationSettings): StepSettings {
  if (strategy.kind === 'beam') throw new Error('beams do not grow one by one');
  return { ...settings, strategy };
}
