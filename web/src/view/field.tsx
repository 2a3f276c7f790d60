import type { ComponentChildren } from 'preact';

interface FieldProps {
  readonly label: string;
  /** Of the control. */
  readonly id: string;
  readonly hint?: string;
  readonly children: ComponentChildren;
}

export function Field({ label, id, hint, children }: FieldProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {hint !== undefined && <p class="hint">{hint}</p>}
    </div>
  );
}
