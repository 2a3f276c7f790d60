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
      <input
        id={id}
        type="number"
        inputmode="numeric"
        min={1}
        max={100_000}
        step={1}
        value={value ?? ''}
        placeholder={usual}
        onChange={(event) => {
          const { value: text, valueAsNumber: number } = event.currentTarget;
          if (text === '') onChange(null);
          else if (Number.isInteger(number) && number >= 1 && number <= 100_000) onChange(number);
        }}
      />
    </div>
  );
}
