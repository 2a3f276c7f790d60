import { useEffect, useState } from 'preact/hooks';
import { exactSize, parseSize } from '../../../src/size.js';
import { faultOf } from '../worker/fault.js';
import { TypedInput } from './typed-input.js';

interface SizeFieldProps {
  readonly id: string;
  readonly label: string;
  /** null for what an empty field means. */
  readonly bytes: number | null;
  /** What an empty field means, in words. */
  readonly empty: string;
  readonly onChange: (bytes: number | null) => void;
}

/** A size as people write it: 10G, 9.5GiB, 12GB. What is no size is said, and changes nothing. */
export function SizeField({ id, label, bytes, empty, onChange }: SizeFieldProps) {
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => setFault(null), [bytes]);
  const read = (typed: string): void => {
    try {
      const value = typed.trim() === '' ? null : parseSize(typed.trim());
      setFault(null);
      if (value !== bytes) onChange(value);
    } catch (error) {
      setFault(faultOf(error).hint ?? faultOf(error).message);
    }
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <TypedInput
        id={id}
        usual={bytes === null ? '' : exactSize(bytes)}
        placeholder={empty}
        spellcheck={false}
        autocomplete="off"
        aria-invalid={fault !== null}
        aria-describedby={fault === null ? undefined : `${id}-fault`}
        onRead={read}
      />
      {fault !== null && (
        <p class="fault" id={`${id}-fault`} role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}
