import { useEffect, useState } from 'preact/hooks';

interface TypedInputProps {
  readonly id?: string;
  readonly type?: 'text' | 'number';
  readonly inputmode?: 'numeric';
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  readonly placeholder?: string;
  readonly spellcheck?: boolean;
  readonly autocomplete?: 'off';
  readonly 'aria-label'?: string;
  readonly 'aria-invalid'?: boolean;
  readonly 'aria-describedby'?: string | undefined;
  /** What is set; replaces what was typed when it changes. */
  readonly usual: string;
  /** Called when typing ends: by a key, or by leaving the field. */
  readonly onRead: (text: string) => void;
}

/** Keeps what is being typed while answers redraw the page. */
export function TypedInput({ usual, onRead, ...rest }: TypedInputProps) {
  const [text, setText] = useState(usual);
  useEffect(() => setText(usual), [usual]);
  return (
    <input
      {...rest}
      list={undefined}
      value={text}
      onInput={(event) => setText(event.currentTarget.value)}
      onChange={(event) => onRead(event.currentTarget.value)}
    />
  );
}
