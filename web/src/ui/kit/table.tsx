import type { ReactNode } from "react";

export interface Column<Row> {
  name: string;
  label: string;
  cell: (row: Row) => ReactNode;
  /** Hidden on a phone, where the first columns say enough. */
  wide?: boolean;
  end?: boolean;
}

/** Rows of like things. What a row leads to or does stands in its cells. */
export function Table<Row>({
  label,
  columns,
  rows,
  rowKey,
}: {
  label: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    <section aria-label={label} tabIndex={0} className="overflow-x-auto rounded-2xl border border-line bg-card">
      <table className="w-full border-collapse text-left text-sm">
        <thead>
          <tr className="border-b border-line text-xs text-soft">
            {columns.map(({ name, label: title, wide, end }) => (
              <th key={name} scope="col" className={cellLook("px-4 py-2.5 font-medium", wide, end)}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)} className="border-b border-line last:border-0">
              {columns.map(({ name, cell, wide, end }) => (
                <td key={name} className={cellLook("px-4 py-2.5 align-middle", wide, end)}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function cellLook(base: string, wide: boolean | undefined, end: boolean | undefined): string {
  return `${base} ${wide ? "max-sm:hidden" : ""} ${end ? "text-right" : ""}`;
}
