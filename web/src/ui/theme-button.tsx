import { useEffect, useState } from "react";
import { AutoIcon, MoonIcon, SunIcon } from "./icons";

const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

const KEY = "frontdesk.theme";
const ICONS = { system: AutoIcon, light: SunIcon, dark: MoonIcon };

function stored(): Theme {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

export function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(stored);
  useEffect(() => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Storage is off: the choice lasts as long as the page.
    }
    window.dispatchEvent(new Event("themechange"));
  }, [theme]);
  const ThemeIcon = ICONS[theme];
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] as Theme;
  return (
    <button
      type="button"
      onClick={() => setTheme(next)}
      aria-label={`Theme: ${theme}. Change to ${next}.`}
      title={`Theme: ${theme}`}
      className="grid size-9 place-items-center rounded-lg text-soft transition-colors hover:bg-sunken hover:text-ink"
    >
      <ThemeIcon className="size-[1.15rem]" />
    </button>
  );
}
