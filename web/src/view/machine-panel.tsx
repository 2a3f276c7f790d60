import { KNOWN_GPUS } from '../../../src/planner/price/known-devices.js';
import { cardCount, UNNAMED_BYTES } from '../settings/card-groups.js';
import { MOST_CARDS, type CardGroup, type Settings } from '../settings/settings.js';
import { CardGroupField } from './card-group-field.js';
import { SizeField } from './size-field.js';

interface MachinePanelProps {
  readonly settings: Settings;
  readonly onChange: (change: Partial<Settings>) => void;
}

export function MachinePanel({ settings, onChange }: MachinePanelProps) {
  const { groups } = settings;
  const setGroup = (at: number, group: CardGroup | null) =>
    onChange({ groups: groups.flatMap((each, i) => (i !== at ? [each] : group === null ? [] : [group])) });
  const last = groups.at(-1) ?? { card: [...KNOWN_GPUS.keys()][0] ?? null, count: 1, memoryBytes: null };
  return (
    <fieldset>
      <legend>Machine</legend>
      {groups.map((group, i) => (
        // Groups have no identity but their place.
        <CardGroupField
          key={i}
          id={`gpu${i}`}
          group={group}
          most={MOST_CARDS - cardCount(groups) + group.count}
          onChange={(changed) => setGroup(i, changed)}
          onRemove={() => setGroup(i, null)}
        />
      ))}
      {groups.length === 0 && <p class="hint">No GPU: everything runs on the CPU.</p>}
      <button
        type="button"
        disabled={cardCount(groups) >= MOST_CARDS}
        onClick={() =>
          onChange({
            groups: [...groups, { card: last.card, count: 1, memoryBytes: last.card === null ? UNNAMED_BYTES : null }],
          })
        }
      >
        Add a card
      </button>
      <div class="pair">
        <SizeField
          id="ram"
          label="Host memory"
          bytes={settings.ramBytes}
          empty="no limit"
          onChange={(ramBytes) => onChange({ ramBytes })}
        />
        <SizeField
          id="disk"
          label="Disk, read each time"
          bytes={settings.diskBytes === 0 ? null : settings.diskBytes}
          empty="none"
          onChange={(bytes) => onChange({ diskBytes: bytes ?? 0 })}
        />
      </div>
    </fieldset>
  );
}
