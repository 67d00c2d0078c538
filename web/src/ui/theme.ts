export type Theme = "system" | "light" | "dark";

const KEY = "frontdesk.theme";

/** `theme.js` applies the same before the first paint. */
export function setTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
  window.dispatchEvent(new Event("themechange"));
}
