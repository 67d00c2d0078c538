import type { ReactNode } from "react";

/** Things below each other in one card, with a line between them. */
export function CardList({ children }: { children: ReactNode }) {
  return <ul className="overflow-hidden rounded-2xl border border-line bg-card">{children}</ul>;
}

/** One of them: what it is, and what can be done with it, which goes below where there is no room beside. */
export function CardItem({ children, ...marks }: { children: ReactNode } & Record<`data-${string}`, string>) {
  return (
    <li
      {...marks}
      className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 text-sm last:border-0"
    >
      {children}
    </li>
  );
}
