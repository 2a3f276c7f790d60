/** What was measured in a blink on this machine, each part with what identifies it. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { makeFolder } from '../../loader/file/make-folder.js';
import { replaceFile } from '../../loader/write/replace-file.js';
import { gpuProfileSchema, hostProfileSchema } from '../../planner/price/device-profile.js';

const NAME = 'blink.json';
const SCHEMA = 'blip2-device-map/blink/3';

const link = z.strictObject({ generation: z.number(), lanes: z.number() });

const cardIdentity = z.strictObject({
  name: z.string(),
  /** Where it is plugged in, as the driver writes it. */
  busId: z.string(),
  /** null where the system does not tell. */
  link: link.nullable(),
  driver: z.string().nullable(),
  /** Version of onnxruntime-node. */
  runtime: z.string(),
});

const hostIdentity = z.strictObject({
  /** Processor and threads. */
  name: z.string(),
  runtime: z.string(),
  /** Whether its threads wait by spinning, as where there is no GPU. */
  spins: z.boolean(),
});

/** Day of the measurement, as 2026-11-28. */
const day = z.iso.date();

const blinkSchema = z.strictObject({
  schema: z.literal(SCHEMA),
  cards: z.array(z.strictObject({ identity: cardIdentity, day, profile: gpuProfileSchema })),
  hosts: z.array(z.strictObject({ identity: hostIdentity, day, profile: hostProfileSchema })),
});

export type CardIdentity = z.infer<typeof cardIdentity>;
export type HostIdentity = z.infer<typeof hostIdentity>;
export type Blink = Omit<z.infer<typeof blinkSchema>, 'schema'>;

const NOTHING: Blink = { cards: [], hosts: [] };

/** What is kept; nothing where there is no such file, or one that says anything else: it is made anew. */
export async function readBlink(cacheFolder: string): Promise<Blink> {
  try {
    const { cards, hosts } = blinkSchema.parse(JSON.parse(await readFile(join(cacheFolder, NAME), 'utf8')));
    return { cards, hosts };
  } catch {
    return NOTHING;
  }
}

/** Keeps these beside what is kept already; of the same card, and of the same host, the new one stays. */
export async function keepBlink({ cards, hosts }: Blink, cacheFolder: string): Promise<void> {
  const kept = await readBlink(cacheFolder);
  const document = {
    schema: SCHEMA,
    cards: [...kept.cards.filter((old) => !cards.some((card) => isOneCard(card.identity, old.identity))), ...cards],
    hosts: [...kept.hosts.filter((old) => !hosts.some((host) => isOneHost(host.identity, old.identity))), ...hosts],
  };
  await makeFolder(cacheFolder);
  await replaceFile(join(cacheFolder, NAME), (handle) => handle.writeFile(`${JSON.stringify(document, null, 2)}\n`));
}

/** What a thorough calibration makes needless. */
export async function forgetBlink(cacheFolder: string): Promise<void> {
  await rm(join(cacheFolder, NAME), { force: true });
}

const isOneCard = (a: CardIdentity, b: CardIdentity): boolean => a.busId === b.busId && a.name === b.name;
const isOneHost = (a: HostIdentity, b: HostIdentity): boolean => a.spins === b.spins && a.name === b.name;
