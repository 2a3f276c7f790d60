import { useRef, useState } from 'preact/hooks';

const SHOWN_MS = 2000;

interface CopyBlockProps {
  readonly label: string;
  readonly text: string;
  /** Whether it is one line, whose words stay whole where it is broken: after a dash, `--` would stand alone. */
  readonly isLine?: boolean;
}

/** A text and the button that copies it. */
export function CopyBlock({ label, text, isLine = false }: CopyBlockProps) {
  const pre = useRef<HTMLPreElement>(null);
  const [done, setDone] = useState<'copied' | 'selected' | null>(null);
  const copy = async () => {
    setDone((await written(text)) ? 'copied' : selected(pre.current));
    setTimeout(() => setDone(null), SHOWN_MS);
  };
  return (
    <div class="copy-block">
      <button type="button" onClick={() => void copy()} aria-label={`Copy: ${label}`}>
        {done === 'copied' ? 'Copied' : done === 'selected' ? 'Selected' : 'Copy'}
      </button>
      {/* Scrolls, so that keys have to reach it. */}
      <pre ref={pre} tabIndex={0} aria-label={label} role="region">
        {isLine
          ? text.split(' ').flatMap((word, i) => [
              i > 0 && ' ',
              <span key={i} class="word">
                {word}
              </span>,
            ])
          : text}
      </pre>
    </div>
  );
}

async function written(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Where a browser keeps the clipboard to itself, the keys still copy what is selected. */
function selected(element: HTMLElement | null): 'selected' | null {
  const selection = getSelection();
  if (element === null || selection === null) return null;
  selection.selectAllChildren(element);
  return 'selected';
}
