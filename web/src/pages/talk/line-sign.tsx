import { useEffect, useState } from "react";
import type { LineRoute } from "../../audio/line";
import type { CallView } from "../../call/reducer";
import { session } from "../../call/session";
import { t } from "../../i18n";
import { percent } from "../../ui/format";
import { WarnIcon } from "../../ui/icons";

const LOOK_MS = 2_000;
/** From here on words begin to be missing. */
const LOST_SHARE = 0.03;

/** How the audio of a call goes: by WebRTC straight or through a relay, or by the WebSocket; and whether it suffers. */
export function LineSign({ view }: { view: CallView }) {
  const route = useRoute(view.status === "live" && view.transport === "webrtc");
  if (view.status !== "live" || view.transport === null) return <span className="ml-auto" />;
  const lossy = (route?.lost ?? 0) >= LOST_SHARE;
  const bad = route?.broken === true || lossy;
  const state = view.transport === "websocket" ? "websocket" : route?.relayed ? "relayed" : "webrtc";
  const facts = [
    t(`line.${state}_text`),
    ...(route?.roundTripMs == null ? [] : [t("line.round_trip", { ms: route.roundTripMs })]),
    ...(lossy ? [t("line.lossy", { share: percent(route?.lost ?? 0) })] : []),
  ];
  return (
    <span
      data-line={state}
      title={facts.join(" ")}
      className={`ml-auto flex items-center gap-1 text-xs ${bad ? "text-warn" : "text-soft"}`}
    >
      {bad && <WarnIcon className="size-3.5" />}
      <span role="status">
        {route?.broken ? t("line.broken") : t(`line.${state}`)}
        {lossy && ` · ${t("line.lossy", { share: percent(route?.lost ?? 0) })}`}
      </span>
      <span className="sr-only">{facts[0]}</span>
    </span>
  );
}

function useRoute(asked: boolean): LineRoute | null {
  const [route, setRoute] = useState<LineRoute | null>(null);
  useEffect(() => {
    if (!asked) return setRoute(null);
    const look = () => void session.route().then(setRoute);
    look();
    const timer = window.setInterval(look, LOOK_MS);
    return () => window.clearInterval(timer);
  }, [asked]);
  return route;
}
