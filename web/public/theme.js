// Runs before the first paint, so that a chosen theme never flashes. A file of its own, so that a strict
// Content-Security-Policy (script-src 'self') allows it.
(() => {
  try {
    const chosen = localStorage.getItem("frontdesk.theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage is off: the system's theme applies.
  }
})();
