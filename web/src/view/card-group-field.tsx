import { KNOWN_GPUS } from '../../../src/planner/price/known-devices.js';
import { formatSize } from '../../../src/size.js';
import { memoryOf, UNNAMED_BYTES, wholeMemory } from '../settings/card-groups.js';
import type { CardGroup } from '../settings/settings.js';
import { SizeField } from './size-field.js';
import { TypedInput } from './typed-input.js';

interface CardGroupFieldProps {
  readonly id: string;
  readonly group: CardGroup;
  /** Cards that there may be of it. */
  readonly most: number;
  readonly onChange: (group: CardGroup) => void;
  readonly onRemove: () => void;
}

const MIB = 2 ** 20;
const STEP_BYTES = 128 * MIB;
const LEAST_BYTES = 512 * MIB;
/** What a slider of a card without a name goes up to. */
const MOST_UNNAMED_BYTES = 32 * 2 ** 30;

export function CardGroupField({ id, group, most, onChange, onRemove }: CardGroupFieldProps) {
  const { card, count } = group;
  const bytes = memoryOf(group);
  const top = Math.max(bytes, card === null ? MOST_UNNAMED_BYTES : wholeMemory(card));
  const steps = Math.ceil((top - LEAST_BYTES) / STEP_BYTES);
  const position = Math.min(steps, Math.max(0, Math.ceil((bytes - LEAST_BYTES) / STEP_BYTES)));
  const at = (step: number): number | null => {
    if (step < steps) return LEAST_BYTES + step * STEP_BYTES;
    return card !== null && top === wholeMemory(card) ? null : top;
  };
  const name = card ?? 'A card without a name';
  return (
    <div class="card" role="group" aria-label={`${count} x ${name}`}>
      <div class="row">
        <div class="wide">
          <select
            aria-label="Card"
            value={card ?? ''}
            onChange={(event) => {
              const chosen = event.currentTarget.value;
              onChange({ ...group, card: chosen === '' ? null : chosen, memoryBytes: chosen === '' ? bytes : null });
            }}
          >
            {[...KNOWN_GPUS].map(([known, { memoryBytes }]) => (
              <option key={known} value={known}>
                {known}, {formatSize(memoryBytes ?? UNNAMED_BYTES)}
              </option>
            ))}
            <option value="">another card (speeds are a guess)</option>
          </select>
        </div>
        <button type="button" class="quiet" aria-label={`Remove ${count} x ${name}`} onClick={onRemove}>
          ✕
        </button>
      </div>
      <div class="row">
        <div class="narrow">
          <TypedInput
            aria-label="How many"
            type="number"
            min={1}
            max={most}
            usual={String(count)}
            onRead={(text) => {
              const wanted = Number(text);
              if (Number.isInteger(wanted) && wanted >= 1) onChange({ ...group, count: Math.min(most, wanted) });
            }}
          />
        </div>
        <span aria-hidden="true">×</span>
        <input
          type="range"
          class="wide"
          aria-label={`Memory of each ${name}`}
          aria-valuetext={formatSize(bytes)}
          min={0}
          max={steps}
          step={1}
          value={position}
          onInput={(event) => onChange({ ...group, memoryBytes: at(event.currentTarget.valueAsNumber) })}
        />
      </div>
      <SizeField
        id={`${id}-memory`}
        label={count > 1 ? 'Memory of each' : 'Memory'}
        bytes={group.memoryBytes}
        empty={`${formatSize(wholeMemory(card))}, all of it`}
        onChange={(memoryBytes) =>
          onChange({ ...group, memoryBytes: memoryBytes ?? (card === null ? UNNAMED_BYTES : null) })
        }
      />
    </div>
  );
}
