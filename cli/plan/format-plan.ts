import type { PlanDocument } from '../../src/planner/index.js';
import { usageError } from '../common/main.js';
import type { ReportContext } from './report-page.js';
import { planSummary } from './summary.js';

export const PLAN_FORMATS = ['map', 'json', 'yaml', 'table', 'python', 'ort', 'svg', 'html'] as const;
export type PlanFormat = (typeof PLAN_FORMATS)[number];

/** A plan as text, ending in a newline. The same plan gives the same bytes. */
export async function formatPlan(plan: PlanDocument, format: PlanFormat, context: ReportContext): Promise<string> {
  switch (format) {
    case 'map':
      return `${JSON.stringify(plan.device_map, null, 2)}\n`;
    case 'json':
      return `${JSON.stringify(plan, null, 2)}\n`;
    case 'yaml': {
      const { dump } = await import('js-yaml');
      return dump(plan, { lineWidth: -1 });
    }
    case 'table':
      return `${planSummary(plan)}\n`;
    case 'python': {
      const { pythonSnippet } = await import('../../src/planner/report/python-snippet.js');
      return pythonSnippet(plan);
    }
    case 'ort': {
      const { ortAssignment } = await import('../../src/planner/report/ort-assignment.js');
      return `${ortAssignment(plan)}\n`;
    }
    case 'svg': {
      const { svgPicture } = await import('../../src/planner/report/svg-picture.js');
      return svgPicture(plan, context);
    }
    case 'html': {
      const { reportPage } = await import('./report-page.js');
      return reportPage(plan, context);
    }
  }
}

/**
 * The format that a file name asks for; a name without an extension, such as `-`, asks for the map.
 * @throws Blip2Error `USAGE` for an extension that no format has
 */
export function formatOfFile(file: string): PlanFormat {
  const extension = /[^/\\]\.([^./\\]+)$/.exec(file)?.[1]?.toLowerCase();
  switch (extension) {
    case 'yaml':
    case 'yml':
      return 'yaml';
    case 'py':
      return 'python';
    case 'svg':
      return 'svg';
    case 'html':
    case 'htm':
      return 'html';
    case 'txt':
      return 'table';
    case 'json':
    case undefined:
      return 'map';
    default:
      throw usageError(
        `--output ${file}: no format has the extension .${extension}`,
        'Extensions: .json, .yaml, .py, .txt, .svg, .html; any other goes with --format.',
      );
  }
}
