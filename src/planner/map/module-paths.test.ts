import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { isWithin, parentOf, pathsAbove } from './module-paths.js';

it('knows the module that holds a path', () => {
  expect(['a.b.c', 'a.b', 'a', ''].map(parentOf)).toEqual(['a.b', 'a', '', '']);
});

it('tells what lies in a module from what begins like it', () => {
  const within = (module: string) =>
    ['layers.1', 'layers.10', 'layers.1.fc', 'layers'].filter((path) => isWithin(path, module));
  expect(within('layers.1')).toEqual(['layers.1', 'layers.1.fc']);
  expect(within('')).toHaveLength(4);
});

it('finds what a cut at every dot finds', () => {
  const part = fc.constantFrom('a', 'b', 'layers', '0', '10');
  const paths = fc.array(fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('.')));
  fc.assert(
    fc.property(paths, (names) => {
      const cut = names.flatMap((name) => name.split('.').map((_, end, parts) => parts.slice(0, end).join('.')));
      expect(pathsAbove(names)).toEqual(new Set(cut.filter((path) => path !== '')));
    }),
  );
});
