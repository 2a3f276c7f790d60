/** A plan as the page of `web/` with the plan inside: one file, which plans on where its reader changes something. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { needsIntegerSolver, type PictureOptions, type PlanDocument } from '../../src/planner/index.js';
import { isBlip2 } from '../../src/model/blip2-config.js';
import type { AssetName } from '../../web/src/assets/asset-name.js';
import type { ReportDocument } from '../../web/src/state/given-report.js';
import { carriedFlags, carriedOptions, pageSettings } from './page-settings.js';
import type { PlanRequest } from './plan-request.js';
import type { RequestArgs } from './request-flags.js';

export interface ReportContext extends PictureOptions {
  readonly request: PlanRequest;
  readonly args: RequestArgs;
}

/** The page without a plan. */
export function emptyPage(): string {
  return pageFile('index.html');
}

export async function reportPage(plan: PlanDocument, context: ReportContext): Promise<string> {
  const page = await readFile(emptyPage(), 'utf8');
  const { config, budgets, objective } = context.request.options;
  const assets: AssetName[] = [
    ...(isBlip2(config) ? [] : ['models' as const]),
    ...(needsIntegerSolver(budgets, objective) ? ['highs' as const] : []),
  ];
  const blocks = [jsonBlock('given', reportDocument(plan, context))];
  for (const name of assets) blocks.push(jsonBlock(`asset-${name}`, await assetParts(name)));
  return page.replace('<script id="script">', (script) => blocks.join('\n') + script);
}

function reportDocument(plan: PlanDocument, { request, args, sweep = [], measured }: ReportContext): ReportDocument {
  const { tensors, options, isPreset, warnings } = request;
  return {
    plan,
    settings: pageSettings(args, request),
    sweep: [...sweep],
    measured: measured ?? null,
    model: isPreset
      ? null
      : {
          identity: { ...plan.checkpoint, files: [...plan.checkpoint.files] },
          config: options.config ?? null,
          tensors: [...tensors].map(([name, { dtype, shape }]) => [name, dtype, [...shape]]),
          warnings: [...warnings],
        },
    carried: carriedOptions(request, args),
    carriedFlags: carriedFlags(args),
  };
}

/** What the page itself would be handed by the script beside it. */
async function assetParts(name: AssetName): Promise<unknown> {
  const text = await readFile(pageFile(`${name}.js`), 'utf8');
  return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
}

/** Data for the page's script; nothing in it can end the element. */
function jsonBlock(id: string, value: unknown): string {
  return `<script type="application/json" id="${id}">${JSON.stringify(value).replaceAll('<', String.raw`\u003c`)}</script>\n`;
}

/** Beside the folder of the built commands. */
function pageFile(name: string): string {
  return fileURLToPath(new URL(`../web/${name}`, import.meta.url));
}
