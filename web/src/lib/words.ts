/** Of a text with one thing a line: no empty ones, and no space around them. */
export function linesOf(text: string): string[] {
  return piecesOf(text, "\n");
}

/** Words between commas: `large, full size`. */
export function betweenCommas(text: string): string[] {
  return piecesOf(text, ",");
}

function piecesOf(text: string, divider: string): string[] {
  return text
    .split(divider)
    .map((piece) => piece.trim())
    .filter((piece) => piece !== "");
}
