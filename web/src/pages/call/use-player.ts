import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "../../api/client";
import { ApiError } from "../../api/problem";
import { type Envelope, readEnvelope } from "../../audio/recording";
import { t } from "../../i18n";

type RecordingState =
  | { state: "none" | "loading" }
  | { state: "ready"; envelope: Envelope; url: string }
  | { state: "failed"; problem: string };

export interface CallPlayer {
  /** `none`: the call has no recording. */
  state: RecordingState["state"];
  problem: string | null;
  envelope: Envelope | null;
  playing: boolean;
  /** Whether it has been played at all, so that nothing is highlighted before. */
  started: boolean;
  positionMs: number;
  durationMs: number;
  rate: number;
  toggle: () => void;
  seek: (ms: number) => void;
  playFrom: (ms: number) => void;
  setRate: (rate: number) => void;
}

/** Fetches a recording and reads its loudness. It stays in memory, so that seeking needs no range requests. */
function useRecording(id: string, recorded: boolean): RecordingState {
  const [recording, setRecording] = useState<RecordingState>({ state: recorded ? "loading" : "none" });
  useEffect(() => {
    if (!recorded) return;
    const stop = new AbortController();
    let url: string | null = null;
    setRecording({ state: "loading" });
    const load = async () => {
      const { data } = await api.GET("/api/v1/calls/{id}/recording", {
        params: { path: { id } },
        parseAs: "blob",
        signal: stop.signal,
      });
      const blob = data as unknown as Blob;
      const envelope = await readEnvelope(blob);
      if (stop.signal.aborted) return;
      url = URL.createObjectURL(blob);
      setRecording({ state: "ready", envelope, url });
    };
    load().catch((error: unknown) => {
      if (stop.signal.aborted) return;
      const problem = error instanceof ApiError ? error.message : t("call.unplayable");
      setRecording({ state: "failed", problem });
    });
    return () => {
      stop.abort();
      if (url !== null) URL.revokeObjectURL(url);
    };
  }, [id, recorded]);
  return recording;
}

/** One audio element for the recording of a call. */
export function usePlayer(id: string, recorded: boolean): CallPlayer {
  const recording = useRecording(id, recorded);
  const url = recording.state === "ready" ? recording.url : null;
  const audio = useRef<HTMLAudioElement | null>(null);
  const [refused, setRefused] = useState<string | null>(null);
  const [playing, setPlaying] = useState(false);
  const [started, setStarted] = useState(false);
  const [positionMs, setPositionMs] = useState(0);
  const [rate, setRateState] = useState(1);

  useEffect(() => {
    if (url === null) return;
    const element = new Audio(url);
    element.onplay = () => setPlaying(true);
    element.onpause = () => setPlaying(false);
    element.ontimeupdate = () => setPositionMs(element.currentTime * 1000);
    audio.current = element;
    return () => {
      element.pause();
      audio.current = null;
    };
  }, [url]);
  useFrames(playing, () => {
    if (audio.current !== null) setPositionMs(audio.current.currentTime * 1000);
  });

  const play = useCallback(() => {
    setStarted(true);
    audio.current?.play().catch(() => setRefused(t("call.play_refused")));
  }, []);
  const seek = useCallback((ms: number) => {
    if (audio.current === null) return;
    audio.current.currentTime = Math.max(0, ms / 1000);
    setPositionMs(Math.max(0, ms));
  }, []);
  const toggle = useCallback(() => {
    if (audio.current?.paused === false) audio.current.pause();
    else play();
  }, [play]);

  const envelope = recording.state === "ready" ? recording.envelope : null;
  return {
    state: recording.state,
    problem: recording.state === "failed" ? recording.problem : refused,
    envelope,
    playing,
    started,
    positionMs,
    durationMs: envelope?.duration_ms ?? 0,
    rate,
    toggle,
    seek,
    playFrom: (ms) => {
      seek(ms);
      play();
    },
    setRate: (next) => {
      if (audio.current !== null) audio.current.playbackRate = next;
      setRateState(next);
    },
  };
}

/** Calls back on every frame that the browser draws, while `active`. */
function useFrames(active: boolean, callback: () => void): void {
  const latest = useRef(callback);
  useEffect(() => {
    latest.current = callback;
  });
  useEffect(() => {
    if (!active) return;
    let frame = requestAnimationFrame(function follow() {
      latest.current();
      frame = requestAnimationFrame(follow);
    });
    return () => cancelAnimationFrame(frame);
  }, [active]);
}
