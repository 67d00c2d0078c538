import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from "react";
import { $api } from "../api/client";
import { useCan, useMe } from "../auth/me";
import { session } from "../call/session";
import { t } from "../i18n";
import { useLiveCount, useLiveStream, useStreamState } from "../live/use-live";
import { useAnySupervision } from "../supervise/use-supervision";
import { isMine } from "../supervise/view";
import { MoreIcon, SearchIcon } from "../ui/icons";
import { IconButton } from "../ui/kit/button";
import { Dialog } from "../ui/kit/dialog";
import { Key } from "../ui/kit/page";
import { AccountMenu } from "./account-menu";
import { Allowed } from "./allowed";
import { Logo, PRODUCT, useBranding, useLooks } from "./branding";
import { type Place, placesFor } from "./nav";
import { openPalette, useShortcuts } from "./shortcuts";

const Palette = lazy(() => import("./palette"));
const ShortcutsHelp = lazy(() => import("./shortcuts-help"));

/** Around every page of somebody who is known: where to go, what goes on, who you are. */
export function Shell() {
  const can = useCan();
  useLiveStream(can("events:read"));
  const overlay = useShortcuts(can);
  return (
    <div className="flex h-dvh md:grid md:grid-cols-[15rem_minmax(0,1fr)] max-md:flex-col">
      <button
        type="button"
        onClick={() => document.getElementById("main")?.focus()}
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:rounded-lg focus:bg-card focus:px-3 focus:py-2"
      >
        {t("shell.skip")}
      </button>
      <PhoneTop />
      <SideBar />
      <main id="main" tabIndex={-1} className="relative min-h-0 flex-1 outline-none">
        <LostConnection />
        <Allowed>
          <Outlet />
        </Allowed>
      </main>
      <PhoneBar />
      <Suspense>
        {overlay === "palette" && <Palette />}
        {overlay === "help" && <ShortcutsHelp />}
      </Suspense>
      <PageTitle />
    </div>
  );
}

/** The name of the page for the tab and for whoever does not see it change. */
function PageTitle() {
  const { pathname } = useLocation();
  const can = useCan();
  const place = placesFor(can)
    .flat()
    .filter(({ to }) => (to === "/" ? pathname === "/" : pathname.startsWith(to)))
    .at(-1);
  const name = place === undefined ? "" : t(place.label);
  const product = useBranding().name ?? PRODUCT;
  useEffect(() => {
    document.title = name === "" ? product : `${name} · ${product}`;
  }, [name, product]);
  return (
    <p className="sr-only" aria-live="polite">
      {name}
    </p>
  );
}

function BusinessName() {
  const can = useCan();
  const { business_slug } = useMe();
  const { data } = $api.useQuery("get", "/api/v1/business", {}, { enabled: can("business:read"), staleTime: 60_000 });
  return data?.name ?? business_slug;
}

function SideBar() {
  const can = useCan();
  const looks = useBranding();
  useLooks(looks);
  return (
    <aside className="flex min-h-0 flex-col border-r border-line bg-side max-md:hidden">
      <Link to="/" className="mx-3 mt-4 flex items-center gap-2.5 rounded-lg px-2 py-1">
        <Logo looks={looks} className="size-7 shrink-0" />
        <span className="min-w-0 leading-tight">
          <span className="block truncate text-sm font-semibold tracking-tight">
            <BusinessName />
          </span>
          <span className="block truncate text-xs text-soft">{looks.name ?? PRODUCT}</span>
        </span>
      </Link>
      <button
        type="button"
        onClick={openPalette}
        className="mx-3 mt-4 flex h-9 items-center gap-2 rounded-lg border border-line bg-card px-2.5 text-sm text-soft hover:border-faint"
      >
        <SearchIcon className="size-4" />
        <span className="flex-1 text-left">{t("shell.search")}</span>
        <Key>Ctrl K</Key>
      </button>
      <nav aria-label={t("shell.main_nav")} className="mt-4 min-h-0 flex-1 overflow-y-auto px-3 pb-4">
        {placesFor(can).map((group) => (
          <ul
            key={group[0]?.to}
            className="flex flex-col gap-0.5 not-first:mt-3 not-first:border-t not-first:border-line not-first:pt-3"
          >
            {group.map((place) => (
              <li key={place.to}>
                <SideLink place={place} />
              </li>
            ))}
          </ul>
        ))}
      </nav>
      <div className="flex flex-col gap-2 border-t border-line p-3">
        <HasCall />
        <InCall />
        <AccountMenu />
      </div>
    </aside>
  );
}

function SideLink({ place: { to, label, icon: Icon } }: { place: Place }) {
  return (
    <Link
      to={to}
      activeOptions={{ exact: to === "/", includeSearch: false }}
      className="flex h-9 items-center gap-2.5 rounded-lg px-2.5 text-sm text-soft transition-colors hover:bg-sunken hover:text-ink data-[status=active]:bg-sunken data-[status=active]:font-medium data-[status=active]:text-ink"
    >
      <Icon className="size-[1.125rem] shrink-0" />
      <span className="flex-1 truncate">{t(label)}</span>
      {to === "/live" && <LiveCount />}
    </Link>
  );
}

function LiveCount() {
  const count = useLiveCount();
  if (count === 0) return null;
  return (
    <span className="rounded-full bg-accent/12 px-1.5 text-xs font-medium text-accent-deep tabular-nums">
      {count}
      <span className="sr-only">{t("shell.live_count", { count })}</span>
    </span>
  );
}

function PhoneTop() {
  const looks = useBranding();
  return (
    <header className="flex h-13 shrink-0 items-center gap-2 border-b border-line bg-side px-3 md:hidden">
      <Link to="/" className="flex min-w-0 flex-1 items-center gap-2 rounded-lg">
        <Logo looks={looks} className="size-6 shrink-0" />
        <span className="truncate text-sm font-semibold tracking-tight">
          <BusinessName />
        </span>
      </Link>
      <HasCall />
      <InCall />
      <IconButton label={t("shell.search")} onClick={openPalette}>
        <SearchIcon className="size-[1.15rem]" />
      </IconButton>
    </header>
  );
}

const BAR =
  "flex h-full min-w-0 flex-col items-center justify-center gap-0.5 text-[0.6875rem] text-soft -outline-offset-2 data-[status=active]:font-medium data-[status=active]:text-accent-deep";

function PhoneBar() {
  const can = useCan();
  const [more, setMore] = useState(false);
  const groups = placesFor(can);
  const shown = groups.flat().filter((place) => place.onPhone);
  const rest = groups.flat().filter((place) => !place.onPhone);
  return (
    <nav
      aria-label={t("shell.main_nav")}
      className="shrink-0 border-t border-line bg-side pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      <ul className="grid h-14 auto-cols-fr grid-flow-col">
        {shown.map(({ to, label, icon: Icon }) => (
          <li key={to}>
            <Link to={to} activeOptions={{ exact: to === "/", includeSearch: false }} className={BAR}>
              <Icon className="size-5" />
              {t(label)}
            </Link>
          </li>
        ))}
        <li>
          <button type="button" onClick={() => setMore(true)} className={`${BAR} w-full`}>
            <MoreIcon className="size-5" />
            {t("shell.more")}
          </button>
        </li>
      </ul>
      <Dialog open={more} onClose={() => setMore(false)} title={t("shell.more")}>
        <ul className="mb-4 flex flex-col gap-0.5">
          {rest.map(({ to, label, icon: Icon }) => (
            <li key={to}>
              <Link
                to={to}
                onClick={() => setMore(false)}
                className="flex h-11 items-center gap-3 rounded-lg px-2 text-[0.9375rem] hover:bg-sunken"
              >
                <Icon className="size-5 text-soft" />
                {t(label)}
              </Link>
            </li>
          ))}
        </ul>
        <AccountMenu />
      </Dialog>
    </nav>
  );
}

/** The way back to a caller whom this user has taken over. */
function HasCall() {
  const view = useAnySupervision();
  const { search } = useLocation();
  if (view.call === null || !isMine(view) || search.call === view.call) return null;
  return (
    <Link
      to="/live"
      search={{ call: view.call }}
      className="flex items-center gap-2 rounded-full bg-person/12 px-3 py-1.5 text-sm font-medium text-person-ink"
    >
      <span className="size-2 rounded-full bg-person" aria-hidden="true" />
      {t("supervise.pill")}
    </Link>
  );
}

/** The way back to a call that goes on while another page is open. */
function InCall() {
  const { status } = useSyncExternalStore(session.subscribe, session.view);
  const { pathname } = useLocation();
  if ((status !== "live" && status !== "connecting") || pathname === "/talk") return null;
  return (
    <Link
      to="/talk"
      className="flex items-center gap-2 rounded-full bg-accent/12 px-3 py-1.5 text-sm font-medium text-accent-deep"
    >
      <span className="size-2 rounded-full bg-accent" aria-hidden="true" />
      {t("shell.in_call")}
    </Link>
  );
}

/** What is shown may be old; said while it lasts, and not at the first moment of a page. */
function LostConnection() {
  const lost = useStreamState() === "lost";
  if (!lost) return null;
  return (
    <p
      role="status"
      className="absolute inset-x-0 top-0 z-20 mx-auto mt-2 w-fit animate-appear rounded-full border border-warn/30 bg-card px-3 py-1 text-xs text-warn shadow-card"
    >
      {t("shell.reconnecting")}
    </p>
  );
}
