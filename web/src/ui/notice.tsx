import type { ReactNode } from "react";
import { WarnIcon } from "./icons";

/** Something is not as it should be; said once, calmly, and read to screen readers. */
export function Notice({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div
      role="alert"
      className="mx-auto mt-3 flex w-[calc(100%-1.5rem)] max-w-2xl animate-appear items-center gap-3 rounded-2xl border border-warn/30 bg-warn/8 px-4 py-3 text-sm leading-relaxed"
    >
      <WarnIcon className="size-5 shrink-0 text-warn" />
      <span className="flex-1">{children}</span>
      {action}
    </div>
  );
}
