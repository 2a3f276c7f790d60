import { useRef, useState } from 'preact/hooks';
import { PRESETS } from '../../../src/model/presets.js';
import { isHubName } from '../settings/hub-name.js';
import { HUB } from '../settings/settings.js';
import type { PageState } from '../state/page-state.js';
import type { PageStore } from '../state/page-store.js';
import { Field } from './field.js';
import { TypedInput } from './typed-input.js';

const OTHER = 'other';

export function ModelPanel({ state, store }: { state: PageState; store: PageStore }) {
  const { model, hub } = state.settings;
  const input = useRef<HTMLInputElement>(null);
  const [name, setName] = useState(model.kind === 'hub' && state.heldId !== model.id ? model.id : '');
  const [isOther, setOther] = useState(false);
  const isHeld = model.kind === 'held' || state.heldId === model.id;
  const shown = isOther || (model.kind === 'hub' && !isHeld) ? OTHER : model.id;
  const open = () => {
    if (isHubName(name.trim())) store.change({ model: { kind: 'hub', id: name.trim() } });
  };
  return (
    <fieldset>
      <legend>Model</legend>
      <Field label="Published model" id="model">
        <select
          id="model"
          value={shown}
          onChange={(event) => {
            const id = event.currentTarget.value;
            setOther(id === OTHER);
            if (PRESETS.has(id)) store.change({ model: { kind: 'preset', id } });
          }}
        >
          {[...PRESETS.keys()].map((id) => (
            <option key={id} value={id}>
              {id}
            </option>
          ))}
          <option value={OTHER}>another one on the hub…</option>
          {isHeld && <option value={model.id}>{model.id} (opened here)</option>}
        </select>
      </Field>
      {shown === OTHER && (
        <>
          <Field
            label="Name on the hub"
            id="hub-name"
            hint="owner/name: its headers are read by ranges, never a weight"
          >
            <div class="row">
              <input
                id="hub-name"
                value={name}
                placeholder="owner/name"
                spellcheck={false}
                autocomplete="off"
                onInput={(event) => setName(event.currentTarget.value)}
                onKeyDown={(event) => {
                  if (event.key === 'Enter') open();
                }}
              />
              <button type="button" disabled={!isHubName(name.trim())} onClick={open}>
                Open
              </button>
            </div>
          </Field>
          <Field label="Hub" id="hub">
            <TypedInput
              id="hub"
              usual={hub}
              spellcheck={false}
              onRead={(typed) => {
                const text = typed.trim().replace(/\/+$/, '');
                store.change({ hub: URL.canParse(text) && /^https?:/.test(text) ? text : HUB });
              }}
            />
          </Field>
        </>
      )}
      <p class="drop-hint">
        <button type="button" onClick={() => input.current?.click()}>
          Open files…
        </button>{' '}
        or drop them anywhere: <code>config.json</code> and <code>.safetensors</code>, of which only headers are read.
      </p>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        accept=".json,.safetensors"
        aria-label="Files of a checkpoint"
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = '';
          if (files.length > 0) store.drop(() => Promise.resolve(files));
        }}
      />
    </fieldset>
  );
}
