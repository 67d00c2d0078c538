import { Autocomplete } from "@base-ui/react/autocomplete";
import { Dialog } from "@base-ui/react/dialog";
import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";
import { $api } from "../api/client";
import { useCan, useMe } from "../auth/me";
import { signOut } from "../auth/sign-out";
import { callerName } from "../call/names";
import { currentLanguage, LANGUAGES, type Language, setLanguage, t } from "../i18n";
import { shortDate } from "../ui/format";
import {
  AgentIcon,
  AutoIcon,
  CallsIcon,
  LanguageIcon,
  MoonIcon,
  SearchIcon,
  SettingsIcon,
  SignOutIcon,
  SunIcon,
} from "../ui/icons";
import { Key } from "../ui/kit/page";
import { setTheme } from "../ui/theme";
import { placesFor } from "./nav";
import { sectionsFor } from "./sections";
import { closeOverlay, openHelp } from "./shortcuts";

interface Command {
  value: string;
  label: string;
  icon: ReactNode;
  hint?: string;
  run: () => void;
}

interface Group {
  value: string;
  items: Command[];
}

const ICON = "size-4 text-soft";
const CALLS_SHOWN = 8;

/** Everything by its name: pages, agents, the latest calls, and what can be done from anywhere. */
export default function Palette() {
  const groups = useCommands();
  return (
    <Dialog.Root open onOpenChange={(open) => !open && closeOverlay()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-black/40" />
        <Dialog.Viewport className="fixed inset-0 z-50 flex items-start justify-center px-3 pt-[12vh] max-sm:pt-4">
          <Dialog.Popup
            aria-label={t("shell.palette")}
            className="flex max-h-[min(32rem,76dvh)] w-full max-w-xl flex-col overflow-hidden rounded-2xl border border-line bg-card shadow-dialog outline-none"
          >
            <Autocomplete.Root
              open
              inline
              items={groups}
              itemToStringValue={(item: Command) => item.label}
              autoHighlight="always"
              keepHighlight
            >
              <div className="flex items-center gap-3 border-b border-line px-4">
                <SearchIcon className="size-4.5 shrink-0 text-soft" />
                <Autocomplete.Input
                  aria-label={t("shell.palette")}
                  placeholder={t("shell.palette_placeholder")}
                  className="h-13 w-full bg-transparent text-[0.9375rem] outline-none placeholder:text-faint"
                />
                <Dialog.Close className="sr-only">{t("shell.close")}</Dialog.Close>
                <Key>Esc</Key>
              </div>
              <div className="min-h-0 overflow-y-auto p-2 empty:hidden">
                <Autocomplete.Empty className="px-3 py-8 text-center text-sm text-soft empty:hidden">
                  {t("shell.palette_empty")}
                </Autocomplete.Empty>
                <Autocomplete.List>
                  {(group: Group) => (
                    <Autocomplete.Group key={group.value} items={group.items} className="not-last:mb-2">
                      <Autocomplete.GroupLabel className="px-3 pt-2 pb-1 text-xs font-medium text-faint">
                        {group.value}
                      </Autocomplete.GroupLabel>
                      <Autocomplete.Collection>
                        {(item: Command) => (
                          <Autocomplete.Item
                            key={item.value}
                            value={item}
                            onClick={() => {
                              closeOverlay();
                              item.run();
                            }}
                            className="flex min-h-9 cursor-pointer items-center gap-3 rounded-lg px-3 py-1 text-sm outline-none select-none data-highlighted:bg-sunken"
                          >
                            {item.icon}
                            <span className="min-w-0 flex-1 truncate">{item.label}</span>
                            {item.hint !== undefined && <span className="text-xs text-faint">{item.hint}</span>}
                          </Autocomplete.Item>
                        )}
                      </Autocomplete.Collection>
                    </Autocomplete.Group>
                  )}
                </Autocomplete.List>
              </div>
            </Autocomplete.Root>
          </Dialog.Popup>
        </Dialog.Viewport>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function useCommands(): Group[] {
  const navigate = useNavigate();
  const can = useCan();
  const me = useMe();
  const agents = $api.useQuery("get", "/api/v1/agents", {}, { enabled: can("agents:read") }).data;
  const calls = $api.useQuery(
    "get",
    "/api/v1/calls",
    { params: { query: { limit: CALLS_SHOWN } } },
    { enabled: can("calls:read") },
  ).data;
  return useMemo(() => {
    const pages = placesFor(can)
      .flat()
      .map(({ to, label, icon: Icon, key }) => ({
        value: to,
        label: t(label),
        icon: <Icon className={ICON} />,
        hint: `G ${key.toUpperCase()}`,
        run: () => void navigate({ to }),
      }));
    const settings = sectionsFor(can, me.kind === "user").flatMap(({ sections }) =>
      sections.map(({ name, label }) => ({
        value: `settings:${name}`,
        label: t(label),
        icon: <SettingsIcon className={ICON} />,
        run: () => void navigate({ to: "/settings/$section", params: { section: name } }),
      })),
    );
    const ofAgents = (agents?.items ?? []).map(({ slug, name }) => ({
      value: `agent:${slug}`,
      label: name,
      icon: <AgentIcon className={ICON} />,
      hint: slug,
      run: () => void navigate({ to: "/agents/$agent", params: { agent: slug } }),
    }));
    const ofCalls = (calls?.items ?? []).map((call) => ({
      value: `call:${call.id}`,
      label: callerName(call),
      icon: <CallsIcon className={ICON} />,
      hint: shortDate(call.started_at_ms),
      run: () => void navigate({ to: "/calls/$id", params: { id: call.id } }),
    }));
    return [
      { value: t("shell.pages"), items: pages },
      { value: t("shell.agents"), items: ofAgents },
      { value: t("shell.latest_calls"), items: ofCalls },
      { value: t("shell.settings"), items: settings },
      { value: t("shell.actions"), items: actions(me.kind === "user") },
    ].filter(({ items }) => items.length > 0);
  }, [agents, calls, can, me.kind, navigate]);
}

function actions(person: boolean): Command[] {
  const others = (Object.keys(LANGUAGES) as Language[]).filter((one) => one !== currentLanguage());
  return [
    { value: "light", label: t("shell.theme_light"), icon: <SunIcon className={ICON} />, run: () => setTheme("light") },
    { value: "dark", label: t("shell.theme_dark"), icon: <MoonIcon className={ICON} />, run: () => setTheme("dark") },
    {
      value: "system",
      label: t("shell.theme_system"),
      icon: <AutoIcon className={ICON} />,
      run: () => setTheme("system"),
    },
    ...others.map((one) => ({
      value: `language:${one}`,
      label: t("shell.language_to", { language: LANGUAGES[one] }),
      icon: <LanguageIcon className={ICON} />,
      run: () => void setLanguage(one, true),
    })),
    { value: "help", label: t("shell.shortcuts"), icon: <SearchIcon className={ICON} />, hint: "?", run: openHelp },
    ...(person
      ? [
          {
            value: "sign-out",
            label: t("shell.sign_out"),
            icon: <SignOutIcon className={ICON} />,
            run: () => void signOut(),
          },
        ]
      : []),
  ];
}
