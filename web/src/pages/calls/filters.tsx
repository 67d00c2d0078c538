import { type FormEvent, useEffect, useState } from "react";
import { t } from "../../i18n";
import { CloseIcon, SearchIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Select, TextField } from "../../ui/kit/field";
import { stateWords } from "./call-list";
import { CALL_STATES, type CallsSearch, callsSearch } from "./search";

interface FiltersProps {
  search: CallsSearch;
  show: (next: CallsSearch) => void;
  agents: ReadonlyMap<string, string>;
}

/** What the list is narrowed to. Words are looked for on Enter, the rest at once. */
export function Filters({ search, show, agents }: FiltersProps) {
  const [words, setWords] = useState(search.q ?? "");
  useEffect(() => setWords(search.q ?? ""), [search.q]);
  // An empty field takes its filter away; what is not understood never gets into the address.
  const set = (change: Record<string, string>) => show(callsSearch({ ...search, ...change }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    set({ q: words });
  };
  return (
    <search className="flex flex-wrap items-end gap-2">
      <form onSubmit={submit} className="relative min-w-56 flex-1 basis-64">
        <SearchIcon className="pointer-events-none absolute top-2.5 left-3 size-4 text-faint" />
        <TextField
          className="pl-9"
          bare
          type="search"
          label={t("calls.search")}
          placeholder={t("calls.search")}
          value={words}
          onChange={(event) => {
            setWords(event.target.value);
            if (event.target.value === "" && search.q !== undefined) set({ q: "" });
          }}
        />
      </form>
      <div className="contents max-sm:grid max-sm:w-full max-sm:grid-cols-3 max-sm:gap-2">
        <Select
          bare
          label={t("calls.agent")}
          value={search.agent ?? ""}
          onChange={(event) => set({ agent: event.target.value })}
          options={[
            { value: "", label: t("calls.all_agents") },
            ...[...agents].map(([value, label]) => ({ value, label })),
          ]}
        />
        {search.agent_version !== undefined && (
          <Button
            data-version-filter={search.agent_version}
            className="max-sm:order-last max-sm:col-span-3"
            title={t("calls.any_version")}
            onClick={() => set({ agent_version: "" })}
          >
            {t("calls.version_only", { version: search.agent_version })}
            <CloseIcon className="size-3.5" />
            <span className="sr-only">{t("calls.any_version")}</span>
          </Button>
        )}
        <Select
          bare
          label={t("calls.state")}
          value={search.state ?? ""}
          onChange={(event) => set({ state: event.target.value })}
          options={[
            { value: "", label: t("calls.all_states") },
            ...CALL_STATES.map((value) => ({ value, label: stateWords(value) })),
          ]}
        />
        <Select
          bare
          label={t("calls.direction")}
          value={search.direction ?? ""}
          onChange={(event) => set({ direction: event.target.value })}
          options={[
            { value: "", label: t("calls.both_directions") },
            { value: "inbound", label: t("calls.inbound") },
            { value: "outbound", label: t("calls.outbound") },
          ]}
        />
      </div>
      <fieldset className="flex items-center gap-1.5 max-sm:grid max-sm:w-full max-sm:grid-cols-[1fr_auto_1fr]">
        <legend className="sr-only">{t("calls.days")}</legend>
        <TextField
          bare
          type="date"
          label={t("calls.from")}
          title={t("calls.from")}
          value={search.from ?? ""}
          max={search.to}
          onChange={(event) => set({ from: event.target.value })}
        />
        <span aria-hidden="true" className="text-sm text-faint">
          –
        </span>
        <TextField
          bare
          type="date"
          label={t("calls.to")}
          title={t("calls.to")}
          value={search.to ?? ""}
          min={search.from}
          onChange={(event) => set({ to: event.target.value })}
        />
      </fieldset>
    </search>
  );
}
