/** A plan that is explained says the same as when it was made: what it was made for is in it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { command, type Finished } from './command.js';
import { commandsInTurn } from './commands-in-turn.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-explain-'));
});
afterAll(() => rm(folder, { recursive: true }));

const asked = {
  'in parts that are encoded together': ['blip2-flan-t5-xl', '--vram', '5758M', '--batch', '6', '--disk', '2G'],
  'for transformers': ['blip2-opt-2.7b', '--vram', '828M', '--engine', 'transformers', '--disk', '2G'],
  'from page-locked memory': ['--vram', '4G', '--gpu', 'H200', '--engine', 'transformers', '--page-lock'],
  'for a known card': ['blip2-opt-2.7b', '--vram', '6G', '--gpu', 'H100', '--reserve', '100M'],
  'with the driver counted': ['blip2-opt-2.7b', '--vram', '6G', '--gpu', 'H100', '--count-context'],
  'for a whole card without': ['blip2-flan-t5-xl', '--gpu', '3060', '--count-context=false'],
  'for whole cards': ['blip2-flan-t5-xl', '--gpu', '3060', '--gpu', 'RTX 4090', '--ram', '20G'],
  'for two cards and beams': ['blip2-opt-2.7b', '--vram', '3G', '--vram', '2G', '--beams', '5', '--ram', '20G'],
};

const cases = Object.entries(asked).map(([name, args], i) => ({ name, args, i }));
const fileOf = (name: string) => join(folder, `${name}.json`);

let answers: readonly Finished[];
beforeAll(async () => {
  answers = await commandsInTurn(
    cases.flatMap(({ name, args }) => [
      ['blip2-plan', [...args, '--format', 'json', '-q', '-o', fileOf(name)]],
      ['blip2-plan', ['explain', fileOf(name), ...args, '--json']],
      ['blip2-plan', ['explain', fileOf(name), '--json']],
    ]),
  );
});

it.each(cases)('$name, with its flags and without any', async ({ name, i }) => {
  const [planned, ...explained] = answers.slice(3 * i, 3 * i + 3);
  expect(planned?.code).toBe(0);
  const made = JSON.parse(await readFile(fileOf(name), 'utf8')) as {
    cost: object;
    devices: object;
    placements: object;
  };
  for (const { code, stdout } of explained) {
    expect(code).toBe(0);
    const { issues, plan, ours } = JSON.parse(stdout) as { issues: object; plan: typeof made; ours: typeof made };
    expect(issues).toEqual([]);
    expect(plan.placements).toEqual(made.placements);
    expect(plan.devices).toEqual(made.devices);
    expect(ours.cost).toEqual(made.cost);
  }
});

it('a flag wins over what the plan says', async () => {
  const planned = await command('blip2-plan', ['blip2-opt-2.7b', '--vram', '6G', '--format', 'json', '-q']);
  const file = join(folder, 'own.json');
  await writeFile(file, planned.stdout);
  const { code, stdout } = await command('blip2-plan', ['explain', file, '--vram', '3G', '--json']);
  expect(code).toBe(3);
  const { overBudget, plan } = JSON.parse(stdout) as { overBudget: object; plan: { devices: object[] } };
  expect(overBudget).toMatchObject([{ device: 0 }]);
  expect(plan.devices[0]).toMatchObject({ id: 0, budgetBytes: 3 * 2 ** 30 });
});

it('page-locked memory of a plan for transformers is none of another engine that a flag names', async () => {
  const flags = ['--vram', '10G', '--gpu', 'H200', '-f', 'json', '-q'];
  const planned = await command('blip2-plan', [...flags, '--engine', 'transformers', '--page-lock']);
  const file = join(folder, 'locked.json');
  await writeFile(file, planned.stdout);
  const { code, stdout } = await command('blip2-plan', ['explain', file, '--engine', 'blip2-run', '--json']);
  expect(code).toBe(0);
  const { plan } = JSON.parse(stdout) as { plan: object };
  expect(plan).toMatchObject({ engine: 'blip2-run' });
  expect(plan).not.toHaveProperty('pageLocked');
});

it('what one flag says leaves the rest to the plan', async () => {
  const planned = await command('blip2-plan', ['blip2-opt-2.7b', '--vram', '6G', '--gpu', 'H100', '-f', 'json', '-q']);
  const file = join(folder, 'rest.json');
  await writeFile(file, planned.stdout);
  const { stdout } = await command('blip2-plan', ['explain', file, '--ram', '20G', '--json']);
  const { plan } = JSON.parse(stdout) as { plan: { devices: object[] } };
  expect(plan.devices).toMatchObject([
    { name: 'H100', budgetBytes: 6 * 2 ** 30 },
    { id: 'cpu', budgetBytes: 20 * 2 ** 30 },
    ...plan.devices.slice(2),
  ]);
});
