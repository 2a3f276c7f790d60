import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';

/** The whole page takes files. */
export function DropZone({
  onDrop,
  children,
}: {
  onDrop: (transfer: DataTransfer) => void;
  children: ComponentChildren;
}) {
  const [isOver, setOver] = useState(false);
  return (
    <div
      class={isOver ? 'drop over' : 'drop'}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const { dataTransfer } = event;
        if (dataTransfer !== null && dataTransfer.types.includes('Files')) onDrop(dataTransfer);
      }}
    >
      {children}
    </div>
  );
}
