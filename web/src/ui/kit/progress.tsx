/** How far something is; `share` null: under way, and nobody knows how far. */
export function Progress({ label, share }: { label: string; share: number | null }) {
  const known = share === null ? null : Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(known === null ? {} : { "aria-valuenow": known })}
      className="h-1.5 w-full overflow-hidden rounded-full bg-sunken"
    >
      <div
        className={`h-full rounded-full bg-accent transition-[width] duration-300 ${known === null ? "w-1/3 animate-pulse" : ""}`}
        style={known === null ? undefined : { width: `${known}%` }}
      />
    </div>
  );
}
