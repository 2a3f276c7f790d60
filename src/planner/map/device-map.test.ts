import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import { blip2Profiler } from '../profile/blip2/blip2-profile.js';
import { DEFAULT_WORKLOAD } from '../profile/workload/workload.js';
import type { Device } from './device-map.js';
import { emitDeviceMap } from './emit-device-map.js';
import { parseDeviceMap } from './parse-device-map.js';
import { conflictingReadings } from './prefix-readings.js';
import { hasUnsettledMainGpu } from './unsettled-main-gpu.js';
import { validateDeviceMap } from '../plan/comparison/validate-device-map.js';

const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
if (preset === undefined) throw new Error('preset');
const config = parseBlip2Config(preset.config);
const tensors = blip2Tensors(config, { dtype: 'F32', ownHead: false });
const profile = blip2Profiler(tensors, config, { dtype: 'float16', engine: 'transformers' })(DEFAULT_WORKLOAD);
const decoder = 'language_model.model.decoder';
const whole = { vision_model: 'cpu', qformer: 'cpu', language_projection: 'cpu', query_tokens: 0 };
const issues = (map: Record<string, unknown>) => validateDeviceMap(parseDeviceMap(map), profile);
const codes = (map: Record<string, unknown>) => issues(map).map((issue) => issue.code);

describe('parseDeviceMap', () => {
  it('takes numbers, "cpu", "disk", and "cuda:N" throughout', () => {
    expect([...parseDeviceMap({ a: 'cuda:1', 'b.c': 'cuda', '': 'cpu' })]).toEqual([
      ['a', 1],
      ['b.c', 0],
      ['', 'cpu'],
    ]);
  });
  it.each([
    [[], 'MAP_NOT_OBJECT'],
    ['auto', 'MAP_NOT_OBJECT'],
    [{}, 'MAP_EMPTY'],
    [{ 'a.': 0 }, 'MAP_KEY'],
    [{ '.a': 0 }, 'MAP_KEY'],
    [{ 'a..b': 0 }, 'MAP_KEY'],
    [{ a: -1 }, 'MAP_DEVICE'],
    [{ a: 1.5 }, 'MAP_DEVICE'],
    [{ a: 'cpu:0' }, 'MAP_DEVICE'],
    [{ a: null }, 'MAP_DEVICE'],
    [{ a: '0' }, 'MAP_DEVICE'],
    [{ a: 'cuda:01' }, 'MAP_DEVICE'],
    [{ a: 0, b: 'cuda:0' }, 'MAP_MIXED_DEVICES'],
  ])('refuses %j as %s', (json, code) => {
    expect(() => parseDeviceMap(json)).toThrow(expect.objectContaining({ code }));
  });
  it('keeps a key named __proto__', () => {
    expect(parseDeviceMap(JSON.parse('{"__proto__": 0}')).get('__proto__')).toBe(0);
  });
});

// accelerate 1.15: `list(set(device_map.values()) - {"cpu", "disk"})[0]`, by PYTHONHASHSEED either GPU of the first two.
describe('hasUnsettledMainGpu', () => {
  it.each<[unknown, boolean]>([
    [{ a: 'cuda:0', b: 'cuda:1', c: 'cpu' }, true],
    [{ a: 'cuda:0', b: 'cuda:1', c: 'disk' }, true],
    [{ a: 'cuda:0', b: 'cuda:1' }, false],
    [{ a: 'cuda:1', b: 'cuda:1', c: 'cpu' }, false],
    [{ a: 0, b: 1, c: 'cpu' }, false],
    [{ schema: 'x', device_map: { a: 0, b: 1, c: 'cpu' } }, false],
    [null, false],
  ])('%j: %s', (json, isUnsettled) => {
    expect(hasUnsettledMainGpu(json)).toBe(isUnsettled);
  });
});

describe('conflictingReadings', () => {
  it('sees that layers.1 claims layers.10 to 19 beside ""', () => {
    const map = new Map<string, Device>([
      ['', 'cpu'],
      ['layers.1', 0],
    ]);
    const names = Array.from({ length: 21 }, (_, i) => `layers.${i}.w`);
    expect(conflictingReadings(map, names).map((r) => r.tensor)).toEqual(
      Array.from({ length: 10 }, (_, i) => `layers.1${i}.w`),
    );
  });
  it('sees no conflict where all siblings are listed', () => {
    const names = Array.from({ length: 21 }, (_, i) => `layers.${i}`);
    const map = new Map(names.map((name, i): [string, Device] => [name, i % 2]));
    expect(
      conflictingReadings(
        map,
        names.map((name) => `${name}.w`),
      ),
    ).toEqual([]);
  });
  it('knows that a dot matches any character', () => {
    const map = new Map<string, Device>([
      ['a.b', 0],
      ['axbc', 1],
    ]);
    expect(conflictingReadings(map, ['axbc.w'])).toEqual([{ tensor: 'axbc.w', dotted: 1, loader: undefined }]);
  });
  it('agrees with both rules spelled out', () => {
    const path = fc
      .array(fc.constantFrom('a', 'b', 'ab', 'ba'), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('.'));
    const maps = fc.array(fc.tuple(fc.oneof(path, fc.constant('')), fc.constantFrom<Device>(0, 1, 'cpu')), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(maps, fc.array(path, { minLength: 1, maxLength: 12 }), (entries, names) => {
        const map = new Map(entries);
        const dots = (key: string) => key.split('.').length;
        const keys = [...map.keys()].toSorted((a, b) => dots(b) - dots(a) || b.length - a.length);
        const dotted = (name: string) =>
          map.get(
            [...map.keys()]
              .filter((key) => key === '' || key === name || name.startsWith(`${key}.`))
              .reduce((longest, key) => (key.length > longest.length ? key : longest), ''),
          );
        const loader = (name: string) => {
          const claim = new RegExp(`^(${keys.join('|')})`).exec(name)?.[0];
          return claim === undefined ? (map.get('') ?? 'cpu') : map.get(claim);
        };
        expect(conflictingReadings(map, names)).toEqual(
          names
            .map((tensor) => ({ tensor, dotted: dotted(tensor), loader: loader(tensor) }))
            .filter((reading) => reading.dotted !== reading.loader && !(map.size === 1 && map.has(''))),
        );
      }),
    );
  });
});

describe('emitDeviceMap', () => {
  it('merges whole subtrees and lists every part of a split one', () => {
    const leaves = new Map<string, Device>(profile.blocks.map((block) => [block.name, 0]));
    const all = profile.blocks.flatMap((block) => block.tensors);
    expect([...emitDeviceMap(leaves, all)]).toEqual([['', 0]]);
    leaves.set(`${decoder}.layers.1`, 'cpu');
    const map = emitDeviceMap(leaves, all);
    expect(map.get('vision_model')).toBe(0);
    expect([...map.keys()].filter((key) => key.startsWith(`${decoder}.layers.`))).toHaveLength(32);
    expect(map.has('language_model')).toBe(false);
    expect(conflictingReadings(map, all)).toEqual([]);
  });
  it('leaves a key of their own to leaves that stand apart', () => {
    const leaves = new Map<string, Device>([
      ['a.b.x', 0],
      ['a.b.y', 0],
      ['a.c.z.weight', 0],
      ['a.c.z.bias', 0],
      ['d', 'cpu'],
    ]);
    const apart = new Set(['a.c.z.weight', 'a.c.z.bias']);
    expect([...emitDeviceMap(leaves, leaves.keys(), apart).keys()]).toEqual(['a.b', 'a.c.z.weight', 'a.c.z.bias', 'd']);
  });
  it('falls back to unmerged keys, and refuses names that no map can tell apart', () => {
    const leaves = new Map<string, Device>([
      ['a.b.x', 0],
      ['a.b.y', 0],
      ['a.bc', 1],
    ]);
    // "a.b" and "a.bc": same number of dots, the longer key is tried first.
    expect(conflictingReadings(emitDeviceMap(leaves, ['a.b.x.w', 'a.b.y.w', 'a.bc.w']), ['a.bc.w'])).toEqual([]);
    const hopeless = new Map<string, Device>([
      ['a.b', 0],
      ['a.c', 1],
      ['axbc', 1],
    ]);
    expect(() => emitDeviceMap(hopeless, ['a.b.w', 'a.c.w', 'axbc.w'])).toThrow(
      expect.objectContaining({ code: 'MAP_AMBIGUOUS' }),
    );
  });
});

describe('validateDeviceMap', () => {
  it('accepts the map of the article', () => {
    expect(issues({ ...whole, language_model: 0 })).toEqual([]);
    expect(issues({ '': 0 })).toEqual([]);
  });

  it('gives both readings of a prefix conflict and a rewrite that is safe (case 27)', () => {
    const [issue] = issues({ '': 'cpu', [`${decoder}.layers.1`]: 0 });
    if (issue?.code !== 'MAP_PREFIX_CONFLICT') throw new Error('expected a prefix conflict');
    expect(issue.tensors).toHaveLength(10 * 16);
    expect(issue.tensors[0]).toMatchObject({ dotted: 'cpu', loader: 0 });
    expect(validateDeviceMap(issue.rewrite, profile)).toEqual([]);
    expect(issue.rewrite.get(`${decoder}.layers.1`)).toBe(0);
    expect(issue.rewrite.get(`${decoder}.layers.10`)).toBe('cpu');
  });

  it('tells the four bad maps of case 28 apart', () => {
    expect(codes({ ...whole, language_model: 0, query_tokens: 'disk' })).toEqual(['MAP_QUERY_TOKENS_ON_DISK']);
    const { query_tokens: _, ...withoutQueries } = whole;
    expect(codes({ ...withoutQueries, language_model: 0 })).toEqual(['MAP_UNCOVERED']);
    expect(codes({ ...whole, 'language_model.model': 'cpu', 'language_model.lm_head': 'disk' })).toEqual([
      'MAP_TIED_APART',
    ]);
    expect(() => issues({ ...whole, language_model: 'cuda:0' })).toThrow(
      expect.objectContaining({ code: 'MAP_MIXED_DEVICES' }),
    );
  });

  it('sees cut blocks and keys of other models', () => {
    expect(codes({ ...whole, language_model: 0, [`${decoder}.layers.31.fc1`]: 'cpu' })).toEqual(['MAP_BLOCK_CUT']);
    expect(codes({ ...whole, language_model: 0, lm_head: 0 })).toEqual(['MAP_UNKNOWN_KEY']);
  });
});
