import { useEffect, useRef } from "react";
import { COLUMN_MS, type LiveWave } from "../../audio/wave";
import { loudness } from "../../call/levels";
import { t } from "../../i18n";
import { type Box, cssColor, fitCanvas, followBox } from "../../ui/canvas";

const STEP = 4;
const BAR = 2.5;
const FRAME_MS = 33;
/** Who wants no motion sees the picture move on four times a second. */
const CALM_FRAME_MS = 250;

interface VoicesProps {
  wave: LiveWave;
  active: boolean;
  /** Who speaks to the caller. */
  name: string;
  /** Somebody at the desk rather than the agent. */
  isPerson: boolean;
}

/** Both voices of the last seconds, newest at the right: the caller above the line, below it whoever speaks to them. */
export function Voices({ wave, active, name, isPerson }: VoicesProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    const { box, stop } = followBox(element);
    let frame = 0;
    let last = 0;
    const paint = (now: number) => {
      frame = requestAnimationFrame(paint);
      if (now - last < (calm.matches ? CALM_FRAME_MS : FRAME_MS)) return;
      last = now;
      draw(element, box, wave, performance.now());
    };
    if (active) frame = requestAnimationFrame(paint);
    else draw(element, box, wave, performance.now());
    return () => {
      cancelAnimationFrame(frame);
      stop();
    };
  }, [wave, active]);
  return (
    <figure className="flex items-center gap-3">
      <figcaption aria-hidden="true" className="flex h-16 w-20 shrink-0 flex-col justify-around text-xs font-medium">
        <span className="truncate text-caller-ink">{t("call.caller")}</span>
        <span className={`truncate ${isPerson ? "text-person-ink" : "text-agent-ink"}`}>{name}</span>
      </figcaption>
      <canvas
        ref={canvas}
        role="img"
        aria-label={t("supervise.voices")}
        data-voices=""
        className="h-16 min-w-0 flex-1"
      />
    </figure>
  );
}

function draw(canvas: HTMLCanvasElement, box: Box, wave: LiveWave, now_ms: number): void {
  const { paint, width, height } = fitCanvas(canvas, box);
  if (paint === null) return;
  const half = height / 2;
  const columns = Math.ceil(width / STEP) + 1;
  const [caller, agent, person, idle] = [cssColor("caller"), cssColor("agent"), cssColor("person"), cssColor("line")];
  // The newest column grows in from the edge, so that the picture glides instead of jumping.
  const glide = ((now_ms % COLUMN_MS) / COLUMN_MS) * STEP;
  for (let ago = 0; ago < columns; ago++) {
    const x = width - ago * STEP - glide;
    paint.globalAlpha = 1 - (ago / columns) ** 2 * 0.8;
    const up = loudness(wave.level("caller", ago, now_ms)) * (half - 3);
    const [own, other] = [wave.level("person", ago, now_ms), wave.level("agent", ago, now_ms)];
    const down = loudness(Math.max(own, other)) * (half - 3);
    bar(paint, x, half - 1 - Math.max(up, 1), Math.max(up, 1), up > 1 ? caller : idle);
    bar(paint, x, half + 1, Math.max(down, 1), down > 1 ? (own > other ? person : agent) : idle);
  }
  paint.globalAlpha = 1;
}

function bar(paint: CanvasRenderingContext2D, x: number, y: number, height: number, color: string): void {
  paint.fillStyle = color;
  paint.beginPath();
  paint.roundRect(x, y, BAR, height, BAR / 2);
  paint.fill();
}
