import { useState } from 'preact/hooks';
import { Blip2Error } from '../../../src/errors.js';
import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import { pythonSnippet } from '../../../src/planner/report/python-snippet.js';
import { commandLine } from '../settings/command-line.js';
import { settingsHash } from '../settings/settings-hash.js';
import type { Settings } from '../settings/settings.js';
import { Card } from './card.js';
import { CopyBlock } from './copy-block.js';

interface TakeAwayProps {
  readonly plan: PlanDocument;
  readonly settings: Settings;
  /** Whether the search has ended: until then a map is not yet the command's. */
  readonly isFinal: boolean;
}

const FORMS = ['command', 'device map', 'Python', 'plan', 'link'] as const;
type Form = (typeof FORMS)[number];

/** The plan in the forms that others take. */
export function TakeAway({ plan, settings, isFinal }: TakeAwayProps) {
  const [form, setForm] = useState<Form>('command');
  return (
    <Card title="Take it with you">
      <div class="segments" role="radiogroup" aria-label="Form">
        {FORMS.map((each) => (
          <label key={each}>
            <input type="radio" name="form" checked={form === each} onChange={() => setForm(each)} />
            <span>{each}</span>
          </label>
        ))}
      </div>
      <p class="soft">
        {isFinal ? about(form, plan, settings) : 'The search goes on: this is not yet the fastest placement.'}
      </p>
      <CopyBlock label={form} text={textOf(form, plan, settings)} isLine={form === 'command'} />
    </Card>
  );
}

const ABOUT: Readonly<Record<Exclude<Form, 'command'>, string>> = {
  'device map': 'For from_pretrained(device_map=...) of transformers.',
  Python: 'Loads the model with this map.',
  plan: 'The whole plan, for blip2-run --plan.',
  link: 'Opens this page with these settings.',
};

function about(form: Form, { engine, solver }: PlanDocument, { model }: Settings): string {
  const isGiven = solver.status === 'given';
  if (form === 'command' && isGiven) return 'Prints the best map for these budgets: this one was given.';
  if (!isGiven && (form === 'device map' || form === 'Python') && engine !== 'transformers')
    return 'This map is the best for blip2-run. transformers takes it too, but another is better there: choose it as the engine.';
  if (form === 'command') {
    const where = model.kind === 'held' ? ', where it finds the files' : '';
    return `Prints this plan’s map${where} (with --profile none where the machine was measured); --format json for the whole plan, which blip2-run takes.`;
  }
  if (model.kind !== 'held') return ABOUT[form];
  return form === 'link'
    ? 'Opens this page with these settings. Files are in no link: they have to be dropped again.'
    : ABOUT[form];
}

function textOf(form: Form, plan: PlanDocument, settings: Settings): string {
  switch (form) {
    case 'command':
      return commandLine(
        { ...settings, pageLocked: plan.pageLocked === true },
        isWithoutFiles(plan, settings) ? '.' : plan.checkpoint.id,
      );
    case 'device map':
      return JSON.stringify(plan.device_map, null, 2);
    case 'Python':
      return python(plan);
    case 'plan':
      return JSON.stringify(plan, null, 2);
    case 'link':
      return `${location.href.split('#')[0] ?? ''}#${settingsHash(settings)}`;
  }
}

/** Of shapes that follow from config.json: the command reads the folder, once its files are there. */
function isWithoutFiles({ checkpoint }: PlanDocument, { model }: Settings): boolean {
  return model.kind === 'held' && checkpoint.files.length === 0;
}

function python(plan: PlanDocument): string {
  try {
    return pythonSnippet(plan);
  } catch (error) {
    if (!(error instanceof Blip2Error)) throw error;
    return `# ${error.message}\n# ${error.hint ?? ''}`;
  }
}
