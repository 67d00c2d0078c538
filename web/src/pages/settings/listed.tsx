import { type ReactNode, useState } from "react";
import { t } from "../../i18n";
import { PlusIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Confirm } from "../../ui/kit/dialog";
import { useFind } from "../../ui/kit/find";
import { Empty, Problem, Skeleton } from "../../ui/kit/page";
import { SectionHead } from "./section";

interface ListedProps<T> {
  title: string;
  lead: ReactNode;
  query: {
    data: { items: T[] } | undefined;
    isPending: boolean;
    error: unknown;
    refetch: () => Promise<unknown>;
  };
  none: { title: string; text: string };
  idOf: (one: T) => string;
  nameOf: (one: T) => string;
  /** Marks each row with its name: `data-key="…"` for `key`. */
  mark: string;
  /** Left in a row: what it is. */
  row: (one: T) => ReactNode;
  /** Right in a row: what can be done besides editing and taking away. */
  actions?: (one: T) => ReactNode;
  /** Without it nothing can be added or changed. */
  add?: { label: string; tone: "primary" | "secondary" } | false;
  /** Rows can be opened again in the form that adds them. */
  editable?: boolean;
  form: (known: T | null, close: () => void) => ReactNode;
  remove: { label: string; title: (name: string) => string; text: string; run: (one: T) => Promise<unknown> };
}

/** Things of a business that are named, added, edited and taken away: one row for each. */
export function Listed<T>(props: ListedProps<T>) {
  const {
    title,
    lead,
    query,
    none,
    idOf,
    nameOf,
    mark,
    row,
    actions,
    add = false,
    editable = false,
    form,
    remove,
  } = props;
  const [open, setOpen] = useState<{ known: T | null } | null>(null);
  const [removing, setRemoving] = useState<T | null>(null);
  const [shown, find] = useFind(query.data?.items, nameOf);
  const { busy, run } = useAction();
  const takeAway = () =>
    run(async () => {
      if (removing === null) return;
      await remove.run(removing);
      await query.refetch();
      setRemoving(null);
    });
  return (
    <>
      <SectionHead
        title={title}
        lead={lead}
        actions={
          add !== false && (
            <Button tone={add.tone} icon={<PlusIcon className="size-4" />} onClick={() => setOpen({ known: null })}>
              {add.label}
            </Button>
          )
        }
      />
      {query.isPending && <Skeleton rows={2} />}
      {query.error != null && <Problem error={query.error} retry={() => void query.refetch()} />}
      {query.data?.items.length === 0 && <Empty title={none.title}>{none.text}</Empty>}
      {find}
      <ul className="flex flex-col gap-2">
        {shown.map((one) => (
          <li
            key={idOf(one)}
            {...{ [`data-${mark}`]: nameOf(one) }}
            className="flex flex-wrap items-center gap-2 rounded-2xl border border-line bg-card px-4 py-3 text-sm"
          >
            <div className="min-w-0 flex-1 basis-56">{row(one)}</div>
            {actions?.(one)}
            {add !== false && editable && (
              <Button size="sm" onClick={() => setOpen({ known: one })}>
                {t("kit.edit")}
                <span className="sr-only">{nameOf(one)}</span>
              </Button>
            )}
            {add !== false && (
              <Button size="sm" tone="ghost" onClick={() => setRemoving(one)}>
                {remove.label}
                <span className="sr-only">{nameOf(one)}</span>
              </Button>
            )}
          </li>
        ))}
      </ul>
      {open !== null && form(open.known, () => setOpen(null))}
      <Confirm
        open={removing !== null}
        title={remove.title(removing === null ? "" : nameOf(removing))}
        action={remove.label}
        busy={busy}
        onConfirm={() => void takeAway()}
        onClose={() => setRemoving(null)}
      >
        {remove.text}
      </Confirm>
    </>
  );
}
