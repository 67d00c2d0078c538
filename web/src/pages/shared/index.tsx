import { useState } from "react";
import { $api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { endedWords } from "../../call/words";
import { t } from "../../i18n";
import { clock, fullDate, shortDate } from "../../ui/format";
import { LogoIcon } from "../../ui/icons";
import { Problem, Skeleton } from "../../ui/kit/page";

type SharedCall = components["schemas"]["SharedCall"];

const VOICES: Record<string, { dot: string; ink: string }> = {
  agent: { dot: "bg-agent", ink: "text-agent-ink" },
  person: { dot: "bg-person", ink: "text-person-ink" },
};

/** A call, for whoever was sent a link to it. The token stands behind `#`, which browsers send to no server. */
export default function SharedPage() {
  const [token] = useState(() => window.location.hash.slice(1));
  const { data, error, isPending } = $api.useQuery(
    "get",
    "/api/v1/shared/{token}",
    { params: { path: { token } } },
    { retry: false, enabled: token !== "" },
  );
  return (
    <div className="h-dvh overflow-y-auto">
      <main className="mx-auto flex max-w-2xl flex-col gap-6 px-4 py-8 sm:px-8">
        <p className="flex items-center gap-2.5 text-sm font-semibold tracking-tight">
          <LogoIcon className="size-7 text-accent" />
          {data?.business ?? "Frontdesk"}
        </p>
        {(token === "" || (error !== null && error.status === 404)) && (
          <div>
            <h1 className="text-xl font-semibold tracking-tight">{t("shares.over")}</h1>
            <p className="mt-2 text-sm leading-relaxed text-soft">{t("shares.over_text")}</p>
          </div>
        )}
        {error !== null && error.status !== 404 && <Problem error={error} />}
        {isPending && token !== "" && <Skeleton rows={5} />}
        {data !== undefined && <Shown call={data} token={token} />}
      </main>
    </div>
  );
}

function Shown({ call, token }: { call: SharedCall; token: string }) {
  const lasted =
    call.ended_at_ms == null ? null : clock(call.ended_at_ms - (call.answered_at_ms ?? call.started_at_ms));
  const ended = call.ended_at_ms == null ? null : endedWords(call.ended_reason, "others");
  return (
    <>
      <header>
        <h1 className="text-xl font-semibold tracking-tight">
          {t("shares.call_with", { agent: call.agent, customer: call.customer ?? t("call.caller") })}
        </h1>
        <p className="mt-1 text-sm leading-relaxed text-soft">
          {[fullDate(call.started_at_ms), lasted, ended].filter((fact) => fact !== null).join(" · ")}
        </p>
      </header>
      {call.recording && (
        // biome-ignore lint/a11y/useMediaCaption: the transcript stands below.
        <audio
          controls
          preload="none"
          aria-label={t("call.recording")}
          src={`/api/v1/shared/${encodeURIComponent(token)}/recording`}
          className="w-full"
        />
      )}
      <ol aria-label={t("call.transcript")} className="flex flex-col gap-4">
        {call.messages.map(({ role, text, complete, at_ms }, place) => {
          const voice = VOICES[role] ?? { dot: "bg-caller", ink: "text-caller-ink" };
          const who = role === "agent" ? call.agent : t(role === "person" ? "supervise.person" : "call.caller");
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: what was said does not move.
            <li key={place} data-line={role} className="leading-relaxed wrap-anywhere">
              <span className={`flex items-center gap-1.5 text-xs font-medium ${voice.ink}`}>
                <span aria-hidden="true" className={`size-2 rounded-full ${voice.dot}`} />
                {who}
                <span className="font-mono font-normal text-faint tabular-nums">{clock(at_ms)}</span>
              </span>
              {text}
              {!complete && <span className="text-soft"> —</span>}
            </li>
          );
        })}
      </ol>
      <p className="border-t border-line pt-4 text-xs leading-relaxed text-soft">
        {t("shares.until", { when: shortDate(call.expires_at_ms) })}
      </p>
    </>
  );
}
