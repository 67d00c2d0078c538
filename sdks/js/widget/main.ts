/** `<script src="https://HOST/widget.js" data-key="fdw_…" async></script>`: puts the widget on the page. */
import { Frontdesk, FrontdeskError } from "../src/index.js";
import { type Memory, Widget } from "./widget.js";
import { chooseLanguage, WORDS } from "./words.js";

// Known only while the script runs for the first time.
const script = document.currentScript;

/** What the page's own scripts may do with the widget. */
export interface FrontdeskWidget {
  open(): void;
  close(): void;
  remove(): void;
}

declare global {
  interface Window {
    FrontdeskWidget?: FrontdeskWidget;
  }
}

function memoryOf(key: string): Memory {
  const known = new Map<string, boolean>();
  const nameOf = (name: string) => `frontdesk:${key}:${name}`;
  return {
    get(name) {
      try {
        return known.get(name) ?? sessionStorage.getItem(nameOf(name)) === "1";
      } catch {
        return known.get(name) ?? false;
      }
    },
    set(name, value) {
      known.set(name, value);
      try {
        if (value) sessionStorage.setItem(nameOf(name), "1");
        else sessionStorage.removeItem(nameOf(name));
      } catch {
        // A page without storage forgets it with the page.
      }
    },
  };
}

async function start(source: HTMLScriptElement): Promise<void> {
  const { key = "", lang } = source.dataset;
  const frontdesk = await Frontdesk.connect({ host: new URL(source.src).origin, key });
  const wanted = [lang, document.documentElement.lang, ...navigator.languages].filter((tag) => tag !== undefined);
  const language = chooseLanguage(frontdesk.settings.languages, wanted);
  const ready = () => {
    const widget = new Widget(frontdesk, WORDS[language], language, memoryOf(key));
    window.FrontdeskWidget = {
      open: () => widget.open(),
      close: () => widget.close(),
      remove: () => {
        widget.remove();
        delete window.FrontdeskWidget;
      },
    };
    document.dispatchEvent(new CustomEvent("frontdesk:ready"));
  };
  if (document.body === null) document.addEventListener("DOMContentLoaded", ready, { once: true });
  else ready();
}

/** Once on a page, whatever its source says. */
if (script instanceof HTMLScriptElement && window.FrontdeskWidget === undefined) {
  start(script).catch((error: unknown) => {
    // The page goes on without a widget; whoever put it there looks here.
    const why = error instanceof FrontdeskError ? `${error.code}: ${error.message}` : String(error);
    console.warn(`Frontdesk widget: ${why}`);
  });
}
