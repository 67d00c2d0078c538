import type { ReactNode } from "react";
import { currentLanguage, LANGUAGES, type Language, setLanguage, t } from "../../i18n";
import { Logo, useLooks, usePublicBranding } from "../../shell/branding";

/** Around the forms of people who are not signed in. */
export function Frame({ title, lead, children }: { title: string; lead: string; children: ReactNode }) {
  const looks = usePublicBranding();
  useLooks(looks);
  return (
    <div className="grid min-h-dvh lg:grid-cols-[minmax(0,1fr)_minmax(0,1fr)]">
      <main className="flex flex-col justify-center px-6 py-10">
        <div className="mx-auto w-full max-w-sm">
          <p className="mb-6 flex items-center gap-3 text-lg font-semibold tracking-tight">
            <Logo looks={looks} className="size-9" />
            {looks.name}
          </p>
          <h1 className="text-2xl font-semibold tracking-tight">{title}</h1>
          <p className="mt-1.5 mb-7 text-sm leading-relaxed text-soft">{lead}</p>
          {children}
          <p className="mt-10 flex gap-4 text-[0.8125rem]">
            {(Object.keys(LANGUAGES) as Language[]).map((one) => (
              <button
                key={one}
                type="button"
                lang={one}
                aria-pressed={one === currentLanguage()}
                onClick={() => void setLanguage(one, true)}
                className="rounded text-soft underline-offset-4 hover:underline aria-pressed:font-medium aria-pressed:text-ink"
              >
                {LANGUAGES[one]}
              </button>
            ))}
          </p>
        </div>
      </main>
      <aside className="relative overflow-hidden border-l border-line bg-side max-lg:hidden">
        <Waves />
        <div className="absolute inset-x-0 bottom-0 p-12">
          <p className="text-3xl font-semibold tracking-tight text-balance">{t("sign_in.welcome")}</p>
          <p className="mt-3 max-w-md leading-relaxed text-soft">{t("sign_in.welcome_text")}</p>
        </div>
      </aside>
    </div>
  );
}

const BARS = 44;

/** Two voices taking turns, drawn as they are on the pages of calls. */
function Waves() {
  return (
    <svg
      viewBox="0 0 440 240"
      preserveAspectRatio="xMidYMid slice"
      className="absolute inset-0 size-full opacity-70"
      aria-hidden="true"
    >
      {Array.from({ length: BARS }, (_, index) => {
        const agent = Math.floor(index / 11) % 2 === 0;
        const height =
          6 + Math.abs(Math.sin(index * 1.7) * 34 + Math.sin(index * 0.6) * 22) * (index % 11 < 9 ? 1 : 0.15);
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a drawing does not change.
            key={index}
            x={index * 10 + 2}
            y={agent ? 92 - height : 94}
            width="5"
            height={height}
            rx="2.5"
            fill={agent ? "var(--color-agent)" : "var(--color-caller)"}
          />
        );
      })}
    </svg>
  );
}
