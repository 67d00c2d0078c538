import { useEffect, useRef } from "react";
import { HISTORY_COLUMNS, levels, loudness } from "../../call/levels";
import { cssColor, fitCanvas } from "../../ui/canvas";

const BAR = 3;
const STEP = 5;

/** Both voices of the last seconds, newest at the right: the agent above the line, the caller below. */
export function Meters({ active }: { active: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    let frame = 0;
    let last = 0;
    const draw = (now: number) => {
      frame = requestAnimationFrame(draw);
      // Who wants no motion sees two still bars whose length changes four times a second.
      if (now - last < (calm.matches ? 250 : 30)) return;
      last = now;
      if (calm.matches) drawBars(element);
      else drawHistory(element);
    };
    if (active) frame = requestAnimationFrame(draw);
    else drawHistory(element);
    return () => cancelAnimationFrame(frame);
  }, [active]);
  return (
    <div aria-hidden="true" className="min-w-0 flex-1">
      <canvas ref={canvas} className="h-14 w-full" />
    </div>
  );
}

function drawHistory(canvas: HTMLCanvasElement): void {
  const { paint, width, height } = fitCanvas(canvas);
  if (paint === null) return;
  const half = height / 2;
  const columns = Math.min(HISTORY_COLUMNS, Math.floor(width / STEP));
  const [agent, caller, idle] = [cssColor("agent"), cssColor("caller"), cssColor("line")];
  for (let i = 0; i < columns; i++) {
    const at = HISTORY_COLUMNS - 1 - i;
    const x = width - (i + 1) * STEP;
    const fade = 1 - (i / columns) ** 2 * 0.85;
    const up = loudness(levels.agent.history[at] ?? 0) * (half - 3);
    const down = loudness(levels.caller.history[at] ?? 0) * (half - 3);
    paint.globalAlpha = fade;
    paint.fillStyle = up > 1 ? agent : idle;
    paint.beginPath();
    paint.roundRect(x, half - 1 - Math.max(up, 1), BAR, Math.max(up, 1), [BAR / 2, BAR / 2, 0, 0]);
    paint.fill();
    paint.fillStyle = down > 1 ? caller : idle;
    paint.beginPath();
    paint.roundRect(x, half + 1, BAR, Math.max(down, 1), [0, 0, BAR / 2, BAR / 2]);
    paint.fill();
  }
  paint.globalAlpha = 1;
}

function drawBars(canvas: HTMLCanvasElement): void {
  const { paint, width, height } = fitCanvas(canvas);
  if (paint === null) return;
  const rows: [number, string][] = [
    [levels.agent.current, "agent"],
    [levels.caller.current, "caller"],
  ];
  rows.forEach(([level, name], row) => {
    const y = height / 4 + (row * height) / 2 - 3;
    paint.fillStyle = cssColor("line");
    paint.fillRect(0, y, width, 6);
    paint.fillStyle = cssColor(name);
    paint.fillRect(0, y, width * loudness(level), 6);
  });
}
