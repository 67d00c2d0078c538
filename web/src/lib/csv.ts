/** A cell that a spreadsheet takes for a formula is a way into somebody's machine; a quote before it makes it text. */
function cell(value: string | number | null): string {
  if (typeof value === "number") return String(value);
  const text = value ?? "";
  // A telephone number begins with a plus, and is none.
  const safe = /^[=@\t\r-]/.test(text) || (text.startsWith("+") && !/^\+\d+$/.test(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows as RFC 4180 says, with the mark by which spreadsheets know UTF-8. */
export function csv(rows: (string | number | null)[][]): string {
  return `\uFEFF${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}
