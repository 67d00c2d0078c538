import { useMe } from "../auth/me";
import { signOut } from "../auth/sign-out";
import { currentLanguage, LANGUAGES, type Language, setLanguage, t } from "../i18n";
import { AutoIcon, LanguageIcon, MoonIcon, SearchIcon, SignOutIcon, SunIcon } from "../ui/icons";
import { Menu } from "../ui/kit/menu";
import { setTheme } from "../ui/theme";
import { openHelp } from "./shortcuts";

const ICON = "size-4 text-soft";

/** Who you are here, how it looks, and the way out. */
export function AccountMenu() {
  const { user, kind } = useMe();
  const person = kind === "user";
  const name = user?.name || user?.email || t("shell.this_machine");
  const others = (Object.keys(LANGUAGES) as Language[]).filter((one) => one !== currentLanguage());
  return (
    <Menu
      side="top"
      align="start"
      trigger={
        <button type="button" className="flex w-full items-center gap-2.5 rounded-lg p-1.5 text-left hover:bg-sunken">
          <span
            aria-hidden="true"
            className="grid size-8 shrink-0 place-items-center rounded-full bg-accent/14 text-sm font-semibold text-accent-deep"
          >
            {name.slice(0, 1).toUpperCase()}
          </span>
          <span className="sr-only">{t("shell.account")}</span>
          <span className="min-w-0 flex-1 leading-tight">
            <span className="block truncate text-sm font-medium">{name}</span>
            <span className="block truncate text-xs text-soft">{user?.email ?? t("shell.no_sign_in")}</span>
          </span>
        </button>
      }
      items={[
        { label: t("shell.theme_light"), icon: <SunIcon className={ICON} />, onSelect: () => setTheme("light") },
        { label: t("shell.theme_dark"), icon: <MoonIcon className={ICON} />, onSelect: () => setTheme("dark") },
        { label: t("shell.theme_system"), icon: <AutoIcon className={ICON} />, onSelect: () => setTheme("system") },
        null,
        ...others.map((one) => ({
          label: LANGUAGES[one],
          icon: <LanguageIcon className={ICON} />,
          onSelect: () => void setLanguage(one, true),
        })),
        { label: t("shell.shortcuts"), icon: <SearchIcon className={ICON} />, onSelect: openHelp },
        ...(person
          ? [
              null,
              { label: t("shell.sign_out"), icon: <SignOutIcon className={ICON} />, onSelect: () => void signOut() },
            ]
          : []),
      ]}
    />
  );
}
