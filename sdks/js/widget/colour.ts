/** Colours with enough contrast (WCAG 2.2, 1.4.3), whatever colour the business has chosen. */

type Rgb = readonly [number, number, number];

const CONTRAST_MIN = 4.5;

function parse(colour: string): Rgb {
  const digits = Number.parseInt(colour.slice(1), 16);
  return [(digits >> 16) & 255, (digits >> 8) & 255, digits & 255];
}

function luminance(rgb: Rgb): number {
  const [red, green, blue] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** How far two colours are apart: 1 to 21. */
export function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(parse(one)), luminance(parse(other))].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** Black or white, whichever is easier to read on this colour. */
export function textOn(colour: string): "#ffffff" | "#000000" {
  return contrast(colour, "#ffffff") >= contrast(colour, "#000000") ? "#ffffff" : "#000000";
}

/** The colour itself, or as little lighter or darker as it takes to be read on `ground`. */
export function readable(colour: string, ground: string): string {
  const towards = textOn(ground) === "#ffffff" ? 255 : 0;
  const from = parse(colour);
  for (let step = 0; step <= 20; step++) {
    const mixed = from.map((part) => Math.round(part + ((towards - part) * step) / 20));
    const candidate = `#${mixed.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
    if (contrast(candidate, ground) >= CONTRAST_MIN) return candidate;
  }
  return textOn(ground);
}
