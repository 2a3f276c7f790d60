interface ErrorBarProps {
  readonly latencyMs: number;
  readonly rangeMs: { readonly least: number; readonly most: number };
  /** null where nothing was measured. */
  readonly measuredMs: number | null;
}

/** From what to what the prediction may be, beside the words that say so. */
export function ErrorBar({ latencyMs, rangeMs: { least, most }, measuredMs }: ErrorBarProps) {
  const end = Math.max(most, measuredMs ?? 0);
  const place = (ms: number) => `${(100 * ms) / end}%`;
  return (
    <div class="error-bar" aria-hidden="true">
      <span class="whisker" style={{ left: place(least), width: place(most - least) }} />
      <span class="predicted" style={{ left: place(latencyMs) }} />
      {measuredMs !== null && <span class="measured" style={{ left: place(measuredMs) }} />}
    </div>
  );
}
