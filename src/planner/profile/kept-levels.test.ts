import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keptLevels } from './kept-levels.js';

const part = (module: string, bytes: number) => ({ name: `${module}.weight`, module, bytes });

describe('what of a block may stay on the GPU', () => {
  it('nothing, its small modules, and all but its widest', () => {
    const opt = [
      ...['q_proj', 'k_proj', 'v_proj', 'out_proj'].map((name) => part(`layers.3.self_attn.${name}`, 13_107_200)),
      ...['fc1', 'fc2'].map((name) => part(`layers.3.${name}`, 52_428_800)),
      ...['self_attn_layer_norm', 'final_layer_norm'].map((name) => part(`layers.3.${name}`, 5120)),
    ];
    const [none, small, most, ...others] = keptLevels('layers.3', opt).map((level) => [...level]);
    expect(others).toEqual([]);
    expect(none).toEqual([]);
    expect(small).toEqual(['layers.3.self_attn_layer_norm.weight', 'layers.3.final_layer_norm.weight']);
    expect(most).toEqual(opt.filter(({ bytes }) => bytes < 52_428_800).map(({ name }) => name));
  });

  it('nothing of a block that is one module, or holds tensors beside modules, or whose modules are alike', () => {
    expect(keptLevels('head', [part('head', 10)])).toEqual([new Set()]);
    expect(keptLevels('layers.3', [part('layers.3', 10), part('layers.3.fc1', 4000)])).toEqual([new Set()]);
    expect(keptLevels('layers.3', [part('layers.3.a', 10), part('layers.3.a.b', 4000)])).toEqual([new Set()]);
    expect(keptLevels('layers.3', [part('layers.3.a', 4000), part('layers.3.b', 4000)])).toEqual([new Set()]);
  });

  it('nothing of hundreds of modules that are alike, each of which is a small part', () => {
    const many = Array.from({ length: 300 }, (_, i) => part(`tower.m${i}`, 4000));
    expect(keptLevels('tower', many)).toEqual([new Set()]);
  });

  it('ever more, by whole modules, and never the widest', () => {
    const modules = fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { minLength: 1 });
    const parts = fc.tuple(modules, fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 1e9 })), { minLength: 1 }));
    fc.assert(
      fc.property(parts, ([numbers, tensors]) => {
        const held = tensors.map(([at, bytes], i) => {
          const module = `b.m${numbers[at % numbers.length] ?? 0}`;
          return { name: `${module}.t${i}`, module, bytes };
        });
        const bytes = new Map<string, number>();
        for (const each of held) bytes.set(each.module, (bytes.get(each.module) ?? 0) + each.bytes);
        const [widest = ''] = [...bytes].toSorted((a, b) => b[1] - a[1]).map(([module]) => module);
        const levels = keptLevels('b', held);
        expect(levels[0]?.size).toBe(0);
        for (const [i, level] of levels.entries()) {
          expect(
            levels.slice(0, i).every((less) => less.size < level.size && [...less].every((name) => level.has(name))),
          ).toBe(true);
          const stays = new Set(held.filter(({ name }) => level.has(name)).map(({ module }) => module));
          expect(held.filter(({ module }) => stays.has(module)).every(({ name }) => level.has(name))).toBe(true);
          expect(stays.has(widest)).toBe(false);
        }
      }),
    );
  });
});
