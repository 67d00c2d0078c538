/** The shape of a row of figures; the figures themselves stand beside it in words. */
export function Bars({
  values,
  className = "h-10",
  color = "var(--color-accent)",
}: {
  values: readonly number[];
  className?: string;
  color?: string;
}) {
  const top = Math.max(1, ...values);
  const step = 100 / Math.max(1, values.length);
  return (
    <svg viewBox="0 0 100 32" preserveAspectRatio="none" className={`block w-full ${className}`} aria-hidden="true">
      {values.map((value, index) => {
        const height = value === 0 ? 1 : Math.max(2, (value / top) * 32);
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: the place is what a bar stands for.
            key={index}
            x={index * step + step * 0.12}
            width={step * 0.76}
            y={32 - height}
            height={height}
            fill={value === 0 ? "var(--color-line)" : color}
          />
        );
      })}
    </svg>
  );
}

export function Line({ values, className = "h-10" }: { values: readonly number[]; className?: string }) {
  if (values.length < 2) return <span className={`block ${className}`} />;
  const top = Math.max(1, ...values);
  const points = values.map((value, index) => `${(index / (values.length - 1)) * 100},${30 - (value / top) * 28}`);
  return (
    <svg viewBox="0 0 100 32" preserveAspectRatio="none" className={`block w-full ${className}`} aria-hidden="true">
      <polygon points={`0,32 ${points.join(" ")} 100,32`} fill="var(--color-accent)" opacity="0.12" />
      <polyline
        points={points.join(" ")}
        fill="none"
        stroke="var(--color-accent)"
        strokeWidth="1.6"
        vectorEffect="non-scaling-stroke"
        strokeLinejoin="round"
      />
    </svg>
  );
}
