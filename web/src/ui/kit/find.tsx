import { type ReactNode, useDeferredValue, useState } from "react";
import { t } from "../../i18n";
import { SearchIcon } from "../icons";

/** A list that is seen at a glance needs no search. */
const GLANCE = 8;

/** Narrows a list that is whole on the page; the field is there once the list is long. */
export function useFind<T>(items: readonly T[] | undefined, textOf: (one: T) => string): [T[], ReactNode] {
  const [typed, setTyped] = useState("");
  const words = useDeferredValue(typed).toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const all = items ?? [];
  const fits = (one: T) => {
    const text = textOf(one).toLocaleLowerCase();
    return words.every((word) => text.includes(word));
  };
  const shown = words.length === 0 ? [...all] : all.filter(fits);
  if (all.length <= GLANCE) return [[...all], null];
  const field = (
    <div className="mb-3 flex flex-wrap items-center gap-3">
      <label className="relative block min-w-48 flex-1 sm:max-w-sm">
        <span className="sr-only">{t("kit.find")}</span>
        <SearchIcon className="pointer-events-none absolute top-2.5 left-3 size-4 text-faint" />
        <input
          type="search"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          placeholder={t("kit.find")}
          className="h-9 w-full rounded-lg border border-field bg-card pr-3 pl-9 text-sm placeholder:text-faint"
        />
      </label>
      <span className="text-sm text-soft" role="status">
        {words.length > 0 && t("kit.found", { shown: shown.length, count: all.length })}
      </span>
    </div>
  );
  return [shown, field];
}
