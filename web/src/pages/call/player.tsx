import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import type { Envelope } from "../../audio/recording";
import { loudness } from "../../call/levels";
import { t } from "../../i18n";
import { cssColor, fitCanvas } from "../../ui/canvas";
import { clock } from "../../ui/format";
import { PauseIcon, PlayIcon } from "../../ui/icons";
import { Notice } from "../../ui/notice";
import type { CallPlayer } from "./use-player";

const RATES = [1, 1.5, 2];
const STEP_MS = 5_000;

export function Player({ player }: { player: CallPlayer }) {
  useSpaceToPlay(player);
  if (player.state === "none") return <p className="mt-6 text-sm text-faint">{t("call.no_recording")}</p>;
  if (player.problem !== null) return <Notice>{player.problem}</Notice>;
  const ready = player.state === "ready";
  const next = RATES[(RATES.indexOf(player.rate) + 1) % RATES.length] ?? 1;
  return (
    <section
      aria-label={t("call.recording")}
      data-playing={player.playing}
      data-position-ms={Math.round(player.positionMs)}
      className="sticky top-0 z-10 mt-6 bg-paper py-3"
    >
      <div className="flex items-center gap-3 rounded-3xl border border-line bg-card p-3 shadow-card sm:gap-4">
        <button
          type="button"
          disabled={!ready}
          onClick={player.toggle}
          aria-label={player.playing ? t("call.pause") : t("call.play")}
          className="grid size-12 shrink-0 place-items-center rounded-full bg-accent text-on-accent transition-colors hover:bg-accent-deep disabled:opacity-50"
        >
          {player.playing ? <PauseIcon /> : <PlayIcon />}
        </button>
        {player.envelope === null ? (
          <span className="h-16 flex-1 animate-pulse rounded-xl bg-sunken">
            <span className="sr-only">{t("call.loading_recording")}</span>
          </span>
        ) : (
          <Waveform player={player} envelope={player.envelope} />
        )}
        <div className="flex shrink-0 flex-col items-end gap-1 font-mono text-xs text-soft tabular-nums">
          <span>
            {clock(player.positionMs)}
            <span className="text-faint max-sm:hidden"> / {clock(player.durationMs)}</span>
          </span>
          <button
            type="button"
            disabled={!ready}
            onClick={() => player.setRate(next)}
            aria-label={t("call.speed", { rate: player.rate, next })}
            className="rounded-md border border-line px-1.5 py-0.5 hover:bg-sunken"
          >
            {player.rate}×
          </button>
        </div>
      </div>
    </section>
  );
}

/** Both sides of the call: the caller above, the agent below. Click or drag to seek. */
function Waveform({ player, envelope }: { player: CallPlayer; envelope: Envelope }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [, redraw] = useState(0);

  useEffect(() => {
    const again = () => redraw((n) => n + 1);
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", again);
    window.addEventListener("themechange", again);
    const observer = new ResizeObserver(again);
    if (canvas.current !== null) observer.observe(canvas.current);
    return () => {
      scheme.removeEventListener("change", again);
      window.removeEventListener("themechange", again);
      observer.disconnect();
    };
  }, []);

  useEffect(() => {
    if (canvas.current !== null) drawWaveform(canvas.current, envelope, player.positionMs / player.durationMs);
  });

  const seekTo = (event: PointerEvent<HTMLCanvasElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    player.seek(share * player.durationMs);
  };
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowRight: STEP_MS, ArrowUp: STEP_MS, ArrowLeft: -STEP_MS, ArrowDown: -STEP_MS }[event.key];
    if (step !== undefined) player.seek(Math.min(player.durationMs, player.positionMs + step));
    else if (event.key === "Home") player.seek(0);
    else if (event.key === "End") player.seek(player.durationMs);
    else return;
    event.preventDefault();
  };
  return (
    <canvas
      ref={canvas}
      role="slider"
      tabIndex={0}
      aria-label={t("call.position")}
      aria-valuemin={0}
      aria-valuemax={Math.round(player.durationMs / 1000)}
      aria-valuenow={Math.round(player.positionMs / 1000)}
      aria-valuetext={t("call.position_of", { at: clock(player.positionMs), all: clock(player.durationMs) })}
      onKeyDown={onKey}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        seekTo(event);
      }}
      onPointerMove={(event) => {
        if (event.buttons === 1) seekTo(event);
      }}
      className="h-16 min-w-0 flex-1 cursor-pointer touch-none rounded-lg"
    />
  );
}

function drawWaveform(canvas: HTMLCanvasElement, envelope: Envelope, progress: number): void {
  const { paint, width, height } = fitCanvas(canvas);
  if (paint === null || width === 0) return;
  const [bar, step] = [2, 3];
  const columns = Math.floor(width / step);
  const half = height / 2;
  const [caller, agent, line, ink] = [cssColor("caller"), cssColor("agent"), cssColor("line"), cssColor("ink")];
  for (let column = 0; column < columns; column++) {
    const share = column / columns;
    paint.globalAlpha = share <= progress ? 1 : 0.45;
    const up = columnPeak(envelope.caller, column, columns) * (half - 3);
    const down = columnPeak(envelope.agent, column, columns) * (half - 3);
    paint.fillStyle = up > 0.5 ? caller : line;
    paint.fillRect(column * step, half - 0.5 - Math.max(up, 0.5), bar, Math.max(up, 0.5));
    paint.fillStyle = down > 0.5 ? agent : line;
    paint.fillRect(column * step, half + 0.5, bar, Math.max(down, 0.5));
  }
  paint.globalAlpha = 1;
  paint.fillStyle = ink;
  paint.fillRect(Math.min(width - 1.5, progress * width), 0, 1.5, height);
}

function columnPeak(steps: Float32Array, column: number, columns: number): number {
  const from = Math.floor((column / columns) * steps.length);
  const to = Math.max(from + 1, Math.floor(((column + 1) / columns) * steps.length));
  let peak = 0;
  for (let i = from; i < to && i < steps.length; i++) peak = Math.max(peak, steps[i] as number);
  return loudness(peak);
}

/** Space plays and pauses, unless it belongs to the control that has the focus. */
function useSpaceToPlay(player: CallPlayer): void {
  const { toggle, state } = player;
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      const target = event.target instanceof Element ? event.target : null;
      if (event.key !== " " || event.repeat || state !== "ready") return;
      if (target?.closest("button, a, summary, input, select, textarea")) return;
      event.preventDefault();
      toggle();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [toggle, state]);
}
