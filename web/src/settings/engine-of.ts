import { isBlip2 } from '../../../src/model/blip2-config.js';
import type { Engine } from '../../../src/planner/map/engine.js';
import type { OpenModel } from '../model/open-model.js';
import type { Settings } from './settings.js';

/** The one that is chosen, or the model's usual one. */
export function engineOf({ engine }: Pick<Settings, 'engine'>, { config }: Pick<OpenModel, 'config'>): Engine {
  return engine ?? (isBlip2(config) ? 'blip2-run' : 'transformers');
}
