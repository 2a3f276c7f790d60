import { isBlip2 } from '../../../src/model/blip2-config.js';
import { OBJECTIVES, type Objective } from '../../../src/planner/plan/request/plan-options.js';
import { ENGINES } from '../../../src/planner/map/engine.js';
import { LOAD_DTYPES } from '../../../src/tensor/load-dtype.js';
import { QUANT_SCHEMES } from '../../../src/tensor/quantized.js';
import { engineOf } from '../settings/engine-of.js';
import type { Settings } from '../settings/settings.js';
import type { PageState } from '../state/page-state.js';
import { CountField } from './count-field.js';
import { Field } from './field.js';
import { SizeField } from './size-field.js';
import { TASKS, taskOf } from './tasks.js';

const AIMS: Readonly<Record<Objective, string>> = {
  latency: 'the fastest answer',
  throughput: 'the most answers, in a pipeline of devices',
  'fewest-devices': 'the fewest cards',
};

interface WorkPanelProps {
  readonly state: PageState;
  readonly onChange: (change: Partial<Settings>) => void;
}

export function WorkPanel({ state: { settings, shown, model }, onChange }: WorkPanelProps) {
  const plan = shown?.answer.status === 'fits' ? shown.answer.plan : null;
  const { workload } = plan ?? { workload: null };
  const task = taskOf(settings);
  const isOther = model.status === 'open' && !isBlip2(model.model.config);
  const isForTransformers = model.status === 'open' && engineOf(settings, model.model) === 'transformers';
  const usual = (value: number | undefined) => (value === undefined ? 'usual' : String(value));
  return (
    <fieldset>
      <legend>Work</legend>
      <div class="segments" role="radiogroup" aria-label="Kind of work">
        {TASKS.map(({ id, label, promptTokens, newTokens }) => (
          <label key={id}>
            <input
              type="radio"
              name="task"
              checked={task === id}
              onChange={() => onChange({ promptTokens, newTokens })}
            />
            <span>{id === 'usual' && isOther ? 'Usual' : label}</span>
          </label>
        ))}
      </div>
      <div class="pair">
        <CountField
          id="prompt"
          label="Prompt tokens"
          value={settings.promptTokens}
          usual={usual(workload?.promptTokens)}
          onChange={(promptTokens) => onChange({ promptTokens })}
        />
        <CountField
          id="new"
          label="New tokens"
          value={settings.newTokens}
          usual={usual(workload?.newTokens)}
          onChange={(newTokens) => onChange({ newTokens })}
        />
      </div>
      <div class="pair">
        <div>
          <CountField
            id="batch"
            label="Batch"
            value={settings.batch === 'auto' ? null : settings.batch}
            usual={settings.batch === 'auto' ? `auto: ${usual(workload?.batch)}` : '1'}
            onChange={(batch) => onChange({ batch: batch ?? 1 })}
          />
          <label class="check">
            <input
              type="checkbox"
              checked={settings.batch === 'auto'}
              onChange={(event) => onChange({ batch: event.currentTarget.checked ? 'auto' : 1 })}
            />
            as many as pay
          </label>
        </div>
        <Field label="Quantise, if it pays" id="quant">
          <select
            id="quant"
            value={settings.quant.join(',')}
            onChange={(event) => {
              const names = event.currentTarget.value.split(',');
              onChange({ quant: QUANT_SCHEMES.filter((scheme) => names.includes(scheme)) });
            }}
          >
            <option value="">nothing</option>
            <option value="int8">to int8</option>
            <option value="int4">to int4</option>
            <option value="int8,int4">to int8 or int4</option>
          </select>
        </Field>
      </div>
      <div class="pair">
        <Field label={named('Dtype', settings.dtype, plan?.dtype)} id="dtype">
          <select
            id="dtype"
            value={settings.dtype ?? ''}
            onChange={(event) => {
              const name = event.currentTarget.value;
              onChange({ dtype: LOAD_DTYPES.find((dtype) => dtype === name) ?? null });
            }}
          >
            <option value="">as usual</option>
            {LOAD_DTYPES.map((dtype) => (
              <option key={dtype} value={dtype}>
                {dtype}
              </option>
            ))}
          </select>
        </Field>
        <Field label={named('Engine', settings.engine, plan?.engine)} id="engine">
          <select
            id="engine"
            value={settings.engine ?? ''}
            onChange={(event) => {
              const name = event.currentTarget.value;
              onChange({ engine: ENGINES.find((engine) => engine === name) ?? null });
            }}
          >
            <option value="">as usual</option>
            {ENGINES.map((engine) => (
              <option key={engine} value={engine}>
                {engine}
              </option>
            ))}
          </select>
        </Field>
      </div>
      <details>
        <summary>More</summary>
        <div class="pair">
          <CountField
            id="beams"
            label="Beams"
            value={settings.beams}
            usual="1"
            onChange={(beams) => onChange({ beams: beams ?? 1 })}
          />
          <SizeField
            id="reserve"
            label="Reserve per card"
            bytes={settings.reserveBytes === 0 ? null : settings.reserveBytes}
            empty="nothing"
            onChange={(bytes) => onChange({ reserveBytes: bytes ?? 0 })}
          />
        </div>
        <Field label="Aim" id="objective">
          <select
            id="objective"
            value={settings.objective}
            onChange={(event) => {
              const name = event.currentTarget.value;
              onChange({ objective: OBJECTIVES.find((each) => each === name) ?? 'latency' });
            }}
          >
            {OBJECTIVES.map((objective) => (
              <option key={objective} value={objective}>
                {AIMS[objective]}
              </option>
            ))}
          </select>
        </Field>
        <Field label="Search" id="search">
          <select
            id="search"
            value={settings.searchSeconds ?? ''}
            onChange={(event) => onChange({ searchSeconds: Number(event.currentTarget.value) || null })}
          >
            <option value="">the usual second</option>
            {[10, 60].map((seconds) => (
              <option key={seconds} value={seconds}>
                up to {seconds} s, with HiGHS
              </option>
            ))}
          </select>
        </Field>
        <label class="check">
          <input
            type="checkbox"
            checked={settings.countContext}
            onChange={(event) => onChange({ countContext: event.currentTarget.checked })}
          />
          a card's memory holds its driver's share, as nvidia-smi counts
        </label>
        {isOther && (
          <label class="check">
            <input
              type="checkbox"
              checked={settings.cutsLayers}
              onChange={(event) => onChange({ cutsLayers: event.currentTarget.checked })}
            />
            transformers may stream parts of layers, on one card
          </label>
        )}
        {isForTransformers && (
          <label class="check">
            <input
              type="checkbox"
              checked={settings.pageLocked}
              onChange={(event) => onChange({ pageLocked: event.currentTarget.checked })}
            />
            what is streamed is page-locked (pinned), as the Python here does it
          </label>
        )}
      </details>
    </fieldset>
  );
}

/** With what is usual, where that is taken. */
function named(label: string, chosen: string | null, usual: string | undefined): string {
  return chosen !== null || usual === undefined ? label : `${label}: ${usual}`;
}
