/** Dropped files: config.json, an index, shards. Of a shard only the header is read, and nothing leaves the page. */
import { Blip2Error } from '../../../src/errors.js';
import { MAX_INDEX_BYTES, parseIndex } from '../../../src/loader/checkpoint/parse-index.js';
import { pickFile, pickWeights } from '../../../src/loader/checkpoint/pick-weights.js';
import type { ByteSource } from '../../../src/loader/format/read-header.js';
import { SafetensorsError } from '../../../src/loader/format/safetensors-error.js';
import { blip2Tensors } from '../../../src/model/blip2-tensors.js';
import { isBlip2, parseBlip2Config } from '../../../src/model/blip2-config.js';
import { parseConfig } from '../../../src/loader/checkpoint/parse-config.js';
import { openShards, MAX_CONFIG_BYTES } from './open-shards.js';
import type { OpenModel } from './open-model.js';

/** Of any other file there may be several. */
const OF_A_MODEL = /^config\.json$|\.safetensors/;

const HEAD = 'language_model.lm_head.weight';

/**
 * @returns the checkpoint that the files are; of a `config.json` without shards the BLIP-2 that it describes
 * @throws Blip2Error for files that are none, naming the file and its fault
 */
export async function openFiles(dropped: readonly File[]): Promise<OpenModel> {
  const files = new Map(dropped.map((file) => [file.name, file]));
  const twice = dropped.find((file) => OF_A_MODEL.test(file.name) && files.get(file.name) !== file);
  if (twice !== undefined) {
    throw new SafetensorsError('AMBIGUOUS_CHECKPOINT', 'what was dropped', `has ${twice.name} more than once`, {
      hint: 'Drop one model at a time.',
    });
  }
  const config = files.get('config.json');
  const configText = config === undefined ? null : await readText(config, MAX_CONFIG_BYTES);
  const names = [...files.keys()];
  if (configText !== null && !names.some((name) => name.includes('.safetensors'))) return fromConfig(configText, null);
  const [only = ''] = names;
  const isFile = names.length === 1 && only.endsWith('.safetensors');
  const picked = isFile ? pickFile(only, false) : pickWeights(names, names.length === 1 ? only : 'what was dropped');
  const warnings = picked.warnings.map(({ message }) => message);
  const { name, isIndex } = picked;
  if (!isIndex) {
    const shards = [blobSource(fileOf(files, name))];
    return openShards({ id: name, configText, index: null, shards, warnings });
  }
  const parsed = parseIndex(await readText(fileOf(files, name), MAX_INDEX_BYTES), name);
  const wanted = [...new Set(parsed.weightMap.values())].toSorted();
  const missing = wanted.filter((shard) => !files.has(shard));
  if (missing.length === wanted.length && configText !== null && isBlip2(parseConfig(configText, 'config.json')))
    return fromConfig(configText, { name, names: new Set(parsed.weightMap.keys()) });
  if (missing.length > 0) throw withoutShards(missing, wanted.length);
  const shards = wanted.map((shard) => blobSource(fileOf(files, shard)));
  return openShards({ id: name, configText, index: { name, parsed }, shards, warnings });
}

interface IndexNames {
  /** Of the index. */
  readonly name: string;
  /** Of the tensors. */
  readonly names: ReadonlySet<string>;
}

/** A BLIP-2's tensors follow from its configuration; of another model they do not. An index says whether the head is one of them. */
function fromConfig(text: string, index: IndexNames | null): OpenModel {
  const config = parseConfig(text, 'config.json');
  if (!isBlip2(config)) {
    throw new Blip2Error('CONFIG_ALONE', 'Shapes do not follow from the config.json of a model that is not BLIP-2.', {
      hint: 'Drop its .safetensors files as well (only their headers are read), or name the model on the hub.',
    });
  }
  const parsed = parseBlip2Config(config);
  const ownHead = index === null ? parsed.text.family === 't5' : index.names.has(HEAD);
  const tensors = blip2Tensors(parsed, { dtype: 'F32', ownHead });
  const absent = index === null ? [] : [...tensors.keys()].filter((name) => !index.names.has(name));
  if (index !== null && absent.length > 0) {
    throw new Blip2Error(
      'TENSOR_NOT_FOUND',
      `${index.name} has no ${absent[0]}, which config.json implies${absent.length === 1 ? '' : `, nor ${absent.length - 1} more`}.`,
      { hint: 'Drop the config.json and the index of one model, or its .safetensors files with them.' },
    );
  }
  const head = ownHead ? 'of its own, as published Flan-T5 files have it' : 'tied, as published OPT files have it';
  const warning =
    index === null
      ? `Tensors are those that config.json implies; the language model's head is taken to be ${head}.`
      : `Shapes are those that config.json implies, without the shards that ${index.name} names.`;
  const id = index?.name ?? 'config.json';
  return { identity: { id, files: [], fingerprint: null }, config, tensors, warnings: [warning] };
}

function withoutShards(missing: readonly string[], count: number): SafetensorsError {
  const listed = missing.slice(0, 4).join(', ') + (missing.length > 4 ? ', …' : '');
  return new SafetensorsError(
    'MISSING_SHARD',
    'the index',
    `names ${count} shards, of which ${missing.length} were not dropped: ${listed}`,
    {
      hint: 'An index has no shapes: drop the shards with it. Only their headers are read, however large they are.',
    },
  );
}

function fileOf(files: ReadonlyMap<string, File>, name: string): File {
  const file = files.get(name);
  if (file === undefined) throw new Error(`no file ${name}`);
  return file;
}

async function readText(file: File, maxBytes: number): Promise<string> {
  if (file.size > maxBytes) {
    throw new Blip2Error(
      'FILE_INVALID',
      `${file.name} has ${file.size} bytes; at most ${maxBytes} are read of such a file`,
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());
  } catch (cause) {
    throw new Blip2Error('FILE_INVALID', `${file.name} is not text in UTF-8, or cannot be read`, { cause });
  }
}

function blobSource(file: File): ByteSource {
  return {
    name: file.name,
    path: file.name,
    sizeBytes: file.size,
    read: async (begin, end) => new Uint8Array(await file.slice(begin, end).arrayBuffer()),
  };
}
