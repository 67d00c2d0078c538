import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, getRecording } from "../api/client";
import { type Envelope, readEnvelope } from "../audio/recording";

export interface CallPlayer {
  /** `none`: the call has no recording. */
  state: "none" | "loading" | "ready" | "failed";
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

/** One audio element for the recording of a call. */
export function usePlayer(id: string, recorded: boolean): CallPlayer {
  const audio = useRef<HTMLAudioElement | null>(null);
  const [state, setState] = useState<CallPlayer["state"]>(recorded ? "loading" : "none");
  const [problem, setProblem] = useState<string | null>(null);
  const [envelope, setEnvelope] = useState<Envelope | null>(null);
  const [playing, setPlaying] = useState(false);
  const [started, setStarted] = useState(false);
  const [positionMs, setPositionMs] = useState(0);
  const [rate, setRateState] = useState(1);

  useEffect(() => {
    if (!recorded) return;
    const stop = new AbortController();
    let url: string | null = null;
    setState("loading");
    const load = async () => {
      const blob = await getRecording(id, stop.signal);
      const read = await readEnvelope(blob);
      if (stop.signal.aborted) return;
      // From memory, so that seeking needs no range requests.
      url = URL.createObjectURL(blob);
      const element = new Audio(url);
      element.onplay = () => setPlaying(true);
      element.onpause = () => setPlaying(false);
      element.ontimeupdate = () => setPositionMs(element.currentTime * 1000);
      audio.current = element;
      setEnvelope(read);
      setState("ready");
    };
    load().catch((error: unknown) => {
      if (stop.signal.aborted) return;
      setProblem(error instanceof ApiError ? error.message : "The recording cannot be played.");
      setState("failed");
    });
    return () => {
      stop.abort();
      audio.current?.pause();
      audio.current = null;
      if (url !== null) URL.revokeObjectURL(url);
    };
  }, [id, recorded]);

  useEffect(() => {
    if (!playing) return;
    let frame = 0;
    const follow = () => {
      frame = requestAnimationFrame(follow);
      if (audio.current !== null) setPositionMs(audio.current.currentTime * 1000);
    };
    frame = requestAnimationFrame(follow);
    return () => cancelAnimationFrame(frame);
  }, [playing]);

  const play = useCallback(() => {
    setStarted(true);
    audio.current?.play().catch(() => setProblem("The browser did not allow playback."));
  }, []);
  const seek = useCallback((ms: number) => {
    if (audio.current === null) return;
    audio.current.currentTime = Math.max(0, ms / 1000);
    setPositionMs(Math.max(0, ms));
  }, []);
  const playFrom = useCallback(
    (ms: number) => {
      seek(ms);
      play();
    },
    [seek, play],
  );
  const toggle = useCallback(() => {
    if (audio.current?.paused === false) audio.current.pause();
    else play();
  }, [play]);
  const setRate = useCallback((next: number) => {
    if (audio.current !== null) audio.current.playbackRate = next;
    setRateState(next);
  }, []);

  const durationMs = envelope?.duration_ms ?? 0;
  return { state, problem, envelope, playing, started, positionMs, durationMs, rate, toggle, seek, playFrom, setRate };
}
