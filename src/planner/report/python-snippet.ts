/** Python that loads a checkpoint with a plan's map, as transformers wants it. */
import { errorText, option } from '../../error-text.js';
import { Blip2Error } from '../../errors.js';
import type { PlanDocument } from '../plan/document/plan-document.js';
import { namedSource } from './named-source.js';
import { PAGE_LOCK } from './page-lock-python.js';

/**
 * A script for `from_pretrained`: class, dtype and map.
 *
 * `max_memory` repeats the budgets in bytes with integer keys, for whoever wants transformers to plan again; the map
 * itself needs none of it. Where the plan counts on page-locked memory and a GPU is sent weights from the host, a function follows
 * that locks these, and its call.
 * @throws Blip2Error `PLAN_QUANTIZED` where blocks are quantised
 */
export function pythonSnippet(plan: PlanDocument): string {
  const quantized = Object.keys(plan.quant).length;
  if (quantized > 0) {
    throw new Blip2Error(
      'PLAN_QUANTIZED',
      `The plan quantises ${quantized} blocks in a way that transformers cannot.`,
      {
        hint: errorText`Plan for transformers, without ${option('allowQuant')}.`,
      },
    );
  }
  const { model, variant, revision } = namedSource({
    ...plan.checkpoint,
    id: plan.checkpoint.id || 'path/to/checkpoint',
  });
  const at = revision === null ? '' : `revision=${pythonString(revision)}`;
  const { loader, reader, variable } = classesOf(plan);
  const dequantizes = plan.model?.dequantize === true;
  const homes = new Set(Object.values(plan.device_map));
  const onDisk = homes.has('disk');
  const locks = plan.pageLocked === true && homes.has('cpu') && [...homes].some((home) => typeof home === 'number');
  const memory = plan.devices.flatMap(({ id, budgetBytes, weightBytes }) =>
    id === 'disk' ? [] : [`${typeof id === 'number' ? String(id) : '"cpu"'}: ${budgetBytes ?? weightBytes}`],
  );
  const entries = Object.entries(plan.device_map).map(
    ([key, device]) => `    ${pythonString(key)}: ${typeof device === 'number' ? device : pythonString(device)},`,
  );
  return `${locks ? 'import mmap\nimport weakref\n\n' : ''}import torch
from transformers import ${[...(dequantizes ? ['CompressedTensorsConfig'] : []), reader, loader].join(', ')}

device_map = {
${entries.join('\n')}
}
# The budgets this map was made for, in bytes.
max_memory = {${memory.join(', ')}}

${variable} = ${reader}.from_pretrained(${pythonString(model)}${at && `, ${at}`})
model = ${loader}.from_pretrained(
    ${pythonString(model)},${at && `\n    ${at},`}${variant === null ? '' : `\n    variant=${pythonString(variant)},`}
    device_map=device_map,
    dtype=torch.${plan.dtype},${dequantizes ? '\n    # As it is, compressed-tensors makes floats of all weights in the first call, and fails where modules have hooks.\n    quantization_config=CompressedTensorsConfig(dequantize=True),' : ''}${onDisk && plan.model !== undefined ? '\n    # Tensors that loading merges are written there once more.\n    offload_folder="offload",' : ''}
).eval()
${locks ? `\n\n${PAGE_LOCK}\n\npage_lock(model)\n` : ''}`;
}

/** What loads the model, and what prepares its inputs. */
function classesOf({ model }: PlanDocument): { loader: string; reader: string; variable: string } {
  const reads = model !== null && (model?.use === 'causal' || model?.use === 'seq2seq');
  const loader = model === undefined ? 'Blip2ForConditionalGeneration' : (model?.class ?? 'AutoModel');
  return reads
    ? { loader, reader: 'AutoTokenizer', variable: 'tokenizer' }
    : { loader, reader: 'AutoProcessor', variable: 'processor' };
}

function pythonString(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\x7f');
}
