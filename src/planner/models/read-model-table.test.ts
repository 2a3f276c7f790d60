import { expect, it } from 'vitest';
import text from './model-table.js';
import { readModelTable } from './read-model-table.js';

it('does not follow a table whose modules hold themselves', () => {
  const table: unknown = JSON.parse(text);
  if (typeof table !== 'object' || table === null || !('nodes' in table) || !Array.isArray(table.nodes))
    throw new Error('the table has modules');
  const nodes = table.nodes.map((_, index) => `||0:${index.toString(36)}`);
  const read = readModelTable(JSON.stringify({ ...table, nodes }));
  expect(() => read.classOf('BertModel')).toThrow(
    expect.objectContaining({
      code: 'MODEL_TABLE_INVALID',
      message: expect.stringContaining('not before it') as unknown,
    }),
  );
});
