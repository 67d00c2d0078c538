import type { ReactNode } from "react";

/** One of several things that may hold together. */
export function Check({
  label,
  hint,
  checked,
  onChange,
  disabled = false,
}: {
  label: ReactNode;
  hint?: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}) {
  return (
    <label className={`flex min-h-7 items-start gap-2.5 text-sm ${disabled ? "opacity-60" : "cursor-pointer"}`}>
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.target.checked)}
        className="mt-0.5 size-4 shrink-0 accent-accent"
      />
      <span className="min-w-0">
        <span className="wrap-anywhere">{label}</span>
        {hint !== undefined && <span className="block text-[0.8125rem] leading-snug text-soft">{hint}</span>}
      </span>
    </label>
  );
}
