import { useEffect, useSyncExternalStore } from "react";
import { session } from "./call/session";
import { useRoute } from "./route";
import { CallPage } from "./ui/call-page";
import { CallsPage } from "./ui/calls-page";
import { LogoIcon } from "./ui/icons";
import { TalkPage } from "./ui/talk-page";
import { ThemeButton } from "./ui/theme-button";

const TITLES = { talk: "Talk · Frontdesk", calls: "Calls · Frontdesk", call: "Call · Frontdesk" };

export function App() {
  const route = useRoute();
  useEffect(() => {
    document.title = TITLES[route.view];
  }, [route.view]);
  return (
    <div className="flex h-dvh flex-col">
      <button
        type="button"
        onClick={() => document.getElementById("main")?.focus()}
        className="sr-only focus:not-sr-only focus:absolute focus:z-20 focus:m-2 focus:rounded-lg focus:bg-card focus:px-3 focus:py-2"
      >
        Skip to content
      </button>
      <header className="flex h-14 shrink-0 items-center gap-1 border-b border-line px-4 sm:px-6">
        <a href="#/" className="mr-3 flex items-center gap-2 rounded-lg font-semibold tracking-tight sm:mr-5">
          <LogoIcon className="size-6 text-accent" />
          <span className="max-[360px]:sr-only">Frontdesk</span>
        </a>
        <nav aria-label="Main" className="flex gap-1">
          <NavLink href="#/" current={route.view === "talk"}>
            Talk
          </NavLink>
          <NavLink href="#/calls" current={route.view !== "talk"}>
            Calls
          </NavLink>
        </nav>
        <div className="ml-auto flex items-center gap-2">
          {route.view !== "talk" && <InCall />}
          <ThemeButton />
        </div>
      </header>
      <main id="main" tabIndex={-1} className="min-h-0 flex-1 outline-none">
        {route.view === "talk" && <TalkPage />}
        {route.view === "calls" && <CallsPage />}
        {route.view === "call" && <CallPage key={route.id} id={route.id} />}
      </main>
    </div>
  );
}

function NavLink({ href, current, children }: { href: string; current: boolean; children: string }) {
  return (
    <a
      href={href}
      aria-current={current ? "page" : undefined}
      className={`rounded-lg px-3 py-1.5 text-sm transition-colors ${
        current ? "bg-sunken font-medium text-ink" : "text-soft hover:text-ink"
      }`}
    >
      {children}
    </a>
  );
}

/** The way back to a call that goes on while another view is open. */
function InCall() {
  const { status } = useSyncExternalStore(session.subscribe, session.view);
  if (status !== "live" && status !== "connecting") return null;
  return (
    <a
      href="#/"
      className="flex items-center gap-2 rounded-full bg-accent/12 px-3 py-1.5 text-sm font-medium text-accent-deep"
    >
      <span className="size-2 rounded-full bg-accent" aria-hidden="true" />
      In a call
    </a>
  );
}
