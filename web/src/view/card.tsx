import type { ComponentChildren } from 'preact';

interface CardProps {
  readonly title: string;
  /** Of the page's answer: larger. */
  readonly isMain?: boolean;
  readonly children: ComponentChildren;
}

export function Card({ title, isMain = false, children }: CardProps) {
  return (
    <section class={isMain ? 'card-box main' : 'card-box'}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}
