import { type FormEvent, useState } from "react";
import { t } from "../../i18n";
import { useStored } from "../../lib/stored";
import { BookmarkIcon, CloseIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { TextField } from "../../ui/kit/field";
import { type CallsSearch, callsSearch } from "./search";

interface View {
  name: string;
  search: CallsSearch;
}

const KEY = "frontdesk.calls.views";
const VIEWS_MAX = 20;

function readViews(value: unknown): View[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((one): one is View => typeof one?.name === "string" && typeof one?.search === "object")
    .map(({ name, search }) => ({ name, search: callsSearch({ ...search }) }));
}

/** A comparison of two filters that does not depend on the order in which they were set. */
function keyOf(search: CallsSearch): string {
  return JSON.stringify(Object.entries(search).sort(([a], [b]) => a.localeCompare(b)));
}

/** Ready-made and saved ways to narrow the list; saved ones are of this browser. */
export function Views({ search, show }: { search: CallsSearch; show: (next: CallsSearch) => void }) {
  const [saved, store] = useStored(KEY, readViews);
  const [naming, setNaming] = useState(false);
  const current = keyOf(search);
  const ready: View[] = [
    { name: t("calls.all"), search: {} },
    { name: t("calls.missed"), search: { state: "no_answer" } },
    { name: t("calls.outgoing"), search: { direction: "outbound" } },
  ];
  const known = [...ready, ...saved].some((view) => keyOf(view.search) === current);
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      <span className="sr-only">{t("calls.views")}</span>
      {ready.map((view) => (
        <ViewButton key={view.name} view={view} on={keyOf(view.search) === current} show={show} />
      ))}
      {saved.map((view) => (
        <span key={view.name} className="flex items-center">
          <ViewButton view={view} on={keyOf(view.search) === current} show={show} />
          <button
            type="button"
            aria-label={t("calls.remove_view", { name: view.name })}
            title={t("calls.remove_view", { name: view.name })}
            onClick={() => store(saved.filter((one) => one.name !== view.name))}
            className="grid size-6 place-items-center rounded-md text-faint hover:bg-sunken hover:text-ink"
          >
            <CloseIcon className="size-3" />
          </button>
        </span>
      ))}
      {!known && saved.length < VIEWS_MAX && (
        <Button size="sm" tone="ghost" icon={<BookmarkIcon className="size-4" />} onClick={() => setNaming(true)}>
          {t("calls.save_view")}
        </Button>
      )}
      <SaveView
        open={naming}
        onClose={() => setNaming(false)}
        onSave={(name) => store([...saved.filter((one) => one.name !== name), { name, search }])}
      />
    </div>
  );
}

function ViewButton({ view, on, show }: { view: View; on: boolean; show: (next: CallsSearch) => void }) {
  return (
    <button
      type="button"
      aria-pressed={on}
      onClick={() => show(view.search)}
      className="h-7 rounded-full border border-line px-3 text-[0.8125rem] text-soft transition-colors hover:bg-sunken hover:text-ink aria-pressed:border-transparent aria-pressed:bg-accent/12 aria-pressed:font-medium aria-pressed:text-accent-deep"
    >
      {view.name}
    </button>
  );
}

function SaveView({ open, onClose, onSave }: { open: boolean; onClose: () => void; onSave: (name: string) => void }) {
  const [name, setName] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSave(name.trim());
    setName("");
    onClose();
  };
  return (
    <Dialog open={open} onClose={onClose} title={t("calls.save_view")} description={t("calls.save_view_help")}>
      <form onSubmit={submit}>
        <TextField
          label={t("calls.view_name")}
          value={name}
          onChange={(event) => setName(event.target.value)}
          maxLength={40}
          required
        />
        <DialogActions>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" tone="primary" disabled={name.trim() === ""}>
            {t("shell.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
