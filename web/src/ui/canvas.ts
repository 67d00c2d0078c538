/** In CSS pixels. */
export interface Box {
  width: number;
  height: number;
}

const boxOf = ({ clientWidth: width, clientHeight: height }: HTMLCanvasElement): Box => ({ width, height });

/** The box of a canvas that is drawn many times a second: asking the page each time would have it laid out each time. */
export function followBox(canvas: HTMLCanvasElement): { box: Box; stop: () => void } {
  const box = boxOf(canvas);
  const observer = new ResizeObserver(() => Object.assign(box, boxOf(canvas)));
  observer.observe(canvas);
  return { box, stop: () => observer.disconnect() };
}

/** Sizes a canvas to its box in device pixels and clears it. Coordinates stay CSS pixels. */
export function fitCanvas(
  canvas: HTMLCanvasElement,
  { width, height }: Box = boxOf(canvas),
): Box & { paint: CanvasRenderingContext2D | null } {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  const paint = canvas.getContext("2d");
  paint?.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint?.clearRect(0, 0, width, height);
  return { paint, width, height };
}

const probes = new Map<string, HTMLElement>();
const colors = new Map<string, string>();
const dark = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
let looks = "";

/** A colour of the theme as canvas understands it: `light-dark()` is resolved by a hidden element, once for each look. */
export function cssColor(name: string): string {
  const { dataset, style } = document.documentElement;
  const now = `${dataset.theme} ${dark?.matches} ${style.cssText}`;
  if (now !== looks) {
    looks = now;
    colors.clear();
  }
  let color = colors.get(name);
  if (color === undefined) {
    color = getComputedStyle(probeOf(name)).color;
    colors.set(name, color);
  }
  return color;
}

function probeOf(name: string): HTMLElement {
  let probe = probes.get(name);
  if (probe === undefined) {
    probe = document.createElement("span");
    probe.hidden = true;
    probe.style.color = `var(--color-${name})`;
    document.body.append(probe);
    probes.set(name, probe);
  }
  return probe;
}
