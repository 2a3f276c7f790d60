/** A mixture of experts whose file has each expert by itself, for loaders that leave them so: transformers makes one tensor of all. */
import type { TensorInfo, TensorTable } from '../../tensor/tensor-info.js';
import type { LoadedModel } from './loaded-model.js';

/** Of a path, what ends with the list of experts, and what begins with the number of one. */
const NUMBERED = /^(.*?\.(?:experts|routed_experts))\.(\d+\..*)$/;
const LIST = /^.*?\.(?:experts|routed_experts)(?=\.)/;

/** @param stored the tensors of the file, from which the model was made */
export function withExpertsApart(model: LoadedModel, stored: TensorTable): LoadedModel {
  const tensors = new Map<string, TensorInfo>();
  const sources = new Map<string, readonly string[]>();
  for (const [name, info] of model.tensors) {
    const from = model.sources.get(name) ?? [];
    const list = LIST.exec(name)?.[0];
    const apart = from.flatMap((source): [string, TensorInfo, string][] => {
      const own = NUMBERED.exec(source)?.[2];
      const found = stored.get(source);
      return list === undefined || own === undefined || found === undefined ? [] : [[`${list}.${own}`, found, source]];
    });
    if (apart.length === 0 || apart.length < from.length) {
      tensors.set(name, info);
      sources.set(name, from);
    } else
      for (const [single, found, source] of apart) {
        tensors.set(single, found);
        sources.set(single, [source]);
      }
  }
  return { ...model, tensors, sources };
}
