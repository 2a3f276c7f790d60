/** `blip2-device-map/models`: what transformers loads, class by class, for the planner's `models`. Pure, also in a browser. */
export { loadModelTable } from './load-model-table.js';
export { loadedModel, type LoadedModel } from './loaded-model.js';
export { readModelTable, type ModelClass, type ModelTable, type ModelUse } from './read-model-table.js';
