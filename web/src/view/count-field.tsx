import { TypedInput } from './typed-input.js';

const MOST = 100_000;

interface CountFieldProps {
  readonly id: string;
  readonly label: string;
  readonly value: number | null;
  /** Shown where the field is empty. */
  readonly usual: string;
  readonly onChange: (value: number | null) => void;
}

/** A whole number from 1 up, or empty. */
export function CountField({ id, label, value, usual, onChange }: CountFieldProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <TypedInput
        id={id}
        type="number"
        inputmode="numeric"
        min={1}
        max={MOST}
        step={1}
        usual={value === null ? '' : String(value)}
        placeholder={usual}
        onRead={(text) => {
          const number = Number(text);
          if (text === '') onChange(null);
          else if (Number.isInteger(number) && number >= 1 && number <= MOST) onChange(number);
        }}
      />
    </div>
  );
}
