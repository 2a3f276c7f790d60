import { useEffect, useState } from 'preact/hooks';
import { exactSize, parseSize } from '../../../src/planner/size.js';
import { faultOf } from '../worker/fault.js';

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
  const usual = bytes === null ? '' : exactSize(bytes);
  const [text, setText] = useState(usual);
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => {
    setText(usual);
    setFault(null);
  }, [usual]);
  const read = (typed: string): void => {
    setText(typed);
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
      <input
        id={id}
        value={text}
        placeholder={empty}
        spellcheck={false}
        autocomplete="off"
        aria-invalid={fault !== null}
        aria-describedby={fault === null ? undefined : `${id}-fault`}
        onChange={(event) => read(event.currentTarget.value)}
      />
      {fault !== null && (
        <p class="fault" id={`${id}-fault`} role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}
