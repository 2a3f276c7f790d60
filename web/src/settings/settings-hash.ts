/** Settings as the part of an address behind `#`, and back. What is not default alone is written. */
import { PRESETS } from '../../../src/model/presets.js';
import { ENGINES } from '../../../src/planner/map/engine.js';
import { OBJECTIVES } from '../../../src/planner/plan/request/plan-options.js';
import { KNOWN_GPUS } from '../../../src/planner/price/known-devices.js';
import { LOAD_DTYPES } from '../../../src/tensor/load-dtype.js';
import { exactSize, parseSize } from '../../../src/size.js';
import { QUANT_SCHEMES } from '../../../src/tensor/quantized.js';
import { cardCount } from './card-groups.js';
import { isHubName } from './hub-name.js';
import { DEFAULT_SETTINGS, MOST_CARDS, type CardGroup, type ModelChoice, type Settings } from './settings.js';

const GROUP = /^(\d{1,2})x([^@]*)(?:@(.+))?$/;

export function settingsHash(settings: Settings): string {
  const all: readonly (readonly [string, string])[] = [
    ['model', settings.model.id],
    ['hub', settings.hub],
    ['gpu', settings.groups.map(groupText).join(',') || 'none'],
    ['ram', settings.ramBytes === null ? '' : exactSize(settings.ramBytes)],
    ['disk', exactSize(settings.diskBytes)],
    ['reserve', exactSize(settings.reserveBytes)],
    ['context', settings.countContext ? 'yes' : 'no'],
    ['batch', String(settings.batch)],
    ['beams', String(settings.beams)],
    ['prompt', numberText(settings.promptTokens)],
    ['new', numberText(settings.newTokens)],
    ['dtype', settings.dtype ?? ''],
    ['quant', settings.quant.join(',')],
    ['engine', settings.engine ?? ''],
    ['objective', settings.objective],
    ['cut', settings.cutsLayers ? 'yes' : 'no'],
    ['lock', settings.pageLocked ? 'yes' : 'no'],
    ['search', numberText(settings.searchSeconds)],
  ];
  if (settings === DEFAULT_SETTINGS) return all.map(([key, value]) => `${key}=${encode(value)}`).join('&');
  const usual = new URLSearchParams(settingsHash(DEFAULT_SETTINGS));
  return all
    .filter(([key, value]) => value !== usual.get(key))
    .map(([key, value]) => `${key}=${encode(value)}`)
    .join('&');
}

/** What an address says; what it says wrongly is default, and reported. */
export function readSettings(hash: string): { settings: Settings; faults: readonly string[] } {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const faults: string[] = [];
  const read = <T>(key: string, usual: T, parse: (text: string) => T | undefined): T => {
    const text = given.get(key);
    if (text === null) return usual;
    const value = parse(text);
    if (value !== undefined) return value;
    faults.push(`The address has ${key}=${text.slice(0, 80)}, which means nothing here.`);
    return usual;
  };
  const usual = DEFAULT_SETTINGS;
  const settings: Settings = {
    model: read('model', usual.model, readModel),
    hub: read('hub', usual.hub, readAddress),
    groups: read('gpu', usual.groups, readGroups),
    ramBytes: read('ram', usual.ramBytes, (text) => (text === '' ? null : readSize(text))),
    diskBytes: read('disk', usual.diskBytes, readSize),
    reserveBytes: read('reserve', usual.reserveBytes, readSize),
    countContext: read('context', usual.countContext, readYesNo),
    batch: read('batch', usual.batch, (text) => (text === 'auto' ? text : readCount(text))),
    beams: read('beams', usual.beams, readCount),
    promptTokens: read('prompt', usual.promptTokens, readCount),
    newTokens: read('new', usual.newTokens, readCount),
    dtype: read('dtype', usual.dtype, (text) => LOAD_DTYPES.find((each) => each === text)),
    quant: read('quant', usual.quant, readSchemes),
    engine: read('engine', usual.engine, (text) => ENGINES.find((each) => each === text)),
    objective: read('objective', usual.objective, (text) => OBJECTIVES.find((each) => each === text)),
    cutsLayers: read('cut', usual.cutsLayers, readYesNo),
    pageLocked: read('lock', usual.pageLocked, readYesNo),
    searchSeconds: read('search', usual.searchSeconds, readCount),
  };
  return { settings, faults };
}

/** Readable: of what an address behind `#` may hold, only what separates fields is escaped. */
function encode(value: string): string {
  return encodeURIComponent(value)
    .replaceAll(/%(2F|3A|40|2C)/g, (code) => decodeURIComponent(code))
    .replaceAll('%20', '+');
}

function groupText({ card, count, memoryBytes }: CardGroup): string {
  return `${count}x${card ?? ''}${memoryBytes === null ? '' : `@${exactSize(memoryBytes)}`}`;
}

function numberText(value: number | null): string {
  return value === null ? '' : String(value);
}

function readModel(text: string): ModelChoice | undefined {
  if (PRESETS.has(text)) return { kind: 'preset', id: text };
  if (isHubName(text)) return { kind: 'hub', id: text };
  return text === '' || text.length > 300 ? undefined : { kind: 'held', id: text };
}

function readAddress(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, origin, pathname } = new URL(text);
  return protocol === 'https:' || protocol === 'http:' ? `${origin}${pathname.replace(/\/+$/, '')}` : undefined;
}

function readGroups(text: string): readonly CardGroup[] | undefined {
  if (text === 'none') return [];
  const groups: CardGroup[] = [];
  for (const part of text.split(',')) {
    const [, count, card = '', size] = GROUP.exec(part) ?? [];
    const memoryBytes = size === undefined ? null : readSize(size);
    if (count === undefined || Number(count) < 1 || memoryBytes === undefined) return undefined;
    if (card === '' ? memoryBytes === null : !KNOWN_GPUS.has(card)) return undefined;
    groups.push({ card: card === '' ? null : card, count: Number(count), memoryBytes });
  }
  return cardCount(groups) > MOST_CARDS ? undefined : groups;
}

function readSchemes(text: string): Settings['quant'] | undefined {
  const schemes = text.split(',').map((name) => QUANT_SCHEMES.find((each) => each === name));
  return schemes.every((scheme) => scheme !== undefined) ? [...new Set(schemes)] : undefined;
}

function readSize(text: string): number | undefined {
  try {
    return parseSize(text);
  } catch {
    return undefined;
  }
}

function readYesNo(text: string): boolean | undefined {
  return text === 'yes' || text === 'no' ? text === 'yes' : undefined;
}

function readCount(text: string): number | undefined {
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : undefined;
}
