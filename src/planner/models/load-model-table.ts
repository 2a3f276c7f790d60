import { readModelTable, type ModelTable } from './read-model-table.js';

let table: Promise<ModelTable> | undefined;

/** The table of models that this version ships, read once and only when asked for. */
export function loadModelTable(): Promise<ModelTable> {
  table ??= import('./model-table.js').then((module) => readModelTable(module.default));
  return table;
}
