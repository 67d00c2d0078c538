/** Sizes a canvas to its box in device pixels and clears it. Coordinates stay CSS pixels. */
export function fitCanvas(canvas: HTMLCanvasElement): {
  paint: CanvasRenderingContext2D | null;
  width: number;
  height: number;
} {
  const { clientWidth: width, clientHeight: height } = canvas;
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

/** A colour of the theme as canvas understands it: `light-dark()` is resolved by a hidden element. */
export function cssColor(name: string): string {
  let probe = probes.get(name);
  if (probe === undefined) {
    probe = document.createElement("span");
    probe.hidden = true;
    probe.style.color = `var(--color-${name})`;
    document.body.append(probe);
    probes.set(name, probe);
  }
  return getComputedStyle(probe).color;
}
