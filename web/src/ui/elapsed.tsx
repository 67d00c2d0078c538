import { useEffect, useRef } from "react";
import { clock } from "./format";

const TICK_MS = 1_000;

/** One timer for all clocks of the page; each writes its own text, so that two hundred of them draw nothing else. */
const ticking = new Set<() => void>();
let timer = 0;

function tick(): void {
  for (const write of ticking) write();
}

function onTick(write: () => void): () => void {
  ticking.add(write);
  if (timer === 0) timer = window.setInterval(tick, TICK_MS);
  return () => {
    ticking.delete(write);
    if (ticking.size > 0) return;
    window.clearInterval(timer);
    timer = 0;
  };
}

/** The time since then, counting on. */
export function Elapsed({ since_ms, className }: { since_ms: number; className?: string }) {
  const element = useRef<HTMLTimeElement>(null);
  useEffect(() => {
    const write = () => {
      if (element.current !== null) element.current.textContent = clock(Date.now() - since_ms);
    };
    write();
    return onTick(write);
  }, [since_ms]);
  return <time ref={element} className={className} />;
}
