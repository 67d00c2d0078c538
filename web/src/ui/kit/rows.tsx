import { type ReactNode, type RefObject, useLayoutEffect, useRef, useState } from "react";
import { t } from "../../i18n";
import { CloseIcon, PlusIcon } from "../icons";
import { Button, IconButton } from "./button";

export interface Row<T> {
  item: T;
  at: number;
  set: (item: T) => void;
  /** The button that removes the row; its name says which row. None where the row has to stay. */
  remove: ReactNode;
}

interface EditRowsProps<T> {
  items: readonly T[];
  set: (items: T[]) => void;
  /** What a row is called: “Rule 2”. */
  name: (item: T, at: number) => string;
  /** Without it no row can be added. */
  add?: { label: string; fresh: () => T; disabled?: boolean; size?: "sm" | "md" };
  /** Rows are looked at and not changed. */
  disabled?: boolean;
  /** Rows that have to stay. */
  rowsMin?: number;
  removeSize?: "sm" | "md";
  /** Of one row. */
  look: string;
  /** The name is seen above the row, not only heard. */
  titled?: boolean;
  /** Marks a row in the page: `{ "data-special": day.date }`. */
  mark?: (item: T) => Record<`data-${string}`, string>;
  /** Said where there is no row. */
  none?: string;
  /** Where the rows and the button that adds one stand; below each other unless something else is said. */
  layout?: (rows: ReactNode, add: ReactNode) => ReactNode;
  children: (row: Row<T>) => ReactNode;
}

/**
 * A list whose rows are added, edited in place and removed. A row keeps its fields, and what is typed in them, when one before
 * it goes. The focus goes into a row that was added, and to the next one when one is removed.
 */
export function EditRows<T>({
  items,
  set,
  name,
  add,
  disabled = false,
  rowsMin = 0,
  removeSize = "md",
  look,
  titled = false,
  mark,
  none,
  layout = stacked,
  children,
}: EditRowsProps<T>) {
  const [keys, setKeys] = useState(() => items.map(nextKey));
  // Another list came from outside: none of its rows is one of ours.
  if (keys.length !== items.length) setKeys(items.map(nextKey));
  const { list, focusOn } = useRowFocus<HTMLDivElement>(items.length);
  const removeAt = (at: number) => {
    setKeys(keys.toSpliced(at, 1));
    set(items.toSpliced(at, 1));
    focusOn(at, "action");
  };
  const append = (fresh: T) => {
    setKeys([...keys, nextKey()]);
    set([...items, fresh]);
    focusOn(items.length, "field");
  };
  const rows = items.map((item, at) => {
    const called = name(item, at);
    const remove = items.length > rowsMin && (
      <IconButton
        size={removeSize}
        label={t("kit.remove_row", { name: called })}
        onClick={() => removeAt(at)}
        data-row-action=""
      >
        <CloseIcon className="size-4" />
      </IconButton>
    );
    return (
      <fieldset key={keys[at]} disabled={disabled} data-row="" {...mark?.(item)} className={`min-w-0 ${look}`}>
        <legend className={titled ? "px-1 text-xs font-medium text-soft" : "sr-only"}>{called}</legend>
        {children({ item, at, set: (next) => set(items.with(at, next)), remove })}
      </fieldset>
    );
  });
  const button = add !== undefined && (
    <Button
      size={add.size ?? "sm"}
      className="self-start"
      icon={<PlusIcon className="size-4" />}
      disabled={add.disabled === true}
      onClick={() => append(add.fresh())}
      data-rows-end=""
    >
      {add.label}
    </Button>
  );
  const empty = none !== undefined && <p className="max-w-prose text-sm leading-relaxed text-soft">{none}</p>;
  return (
    <div ref={list} className="contents">
      {layout(rows.length === 0 ? empty : rows, button)}
    </div>
  );
}

function stacked(rows: ReactNode, add: ReactNode): ReactNode {
  return (
    <div className="flex flex-col gap-3">
      {rows}
      {add}
    </div>
  );
}

let lastKey = 0;
/** Rows have no identity of their own, and their places change. */
const nextKey = () => ++lastKey;

type Part = "action" | "field";
const PARTS: Record<Part, string> = { action: "[data-row-action]", field: "input, select, textarea" };

/**
 * Keeps the focus in a list while its rows (`data-row`) come and go: once their number has changed, the focus is in the row
 * at the place that `focusOn` was told, in the last one where there are fewer, and on `data-rows-end` where there is none.
 */
export function useRowFocus<E extends HTMLElement>(
  count: number,
): { list: RefObject<E | null>; focusOn: (at: number, part: Part) => void } {
  const list = useRef<E>(null);
  const wanted = useRef<{ at: number; part: Part } | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the number of rows is what is waited for.
  useLayoutEffect(() => {
    const box = list.current;
    if (wanted.current === null || box === null) return;
    const { at, part } = wanted.current;
    wanted.current = null;
    // Whoever went on elsewhere meanwhile stays there.
    const now = document.activeElement;
    if (now !== null && now !== document.body && !box.contains(now)) return;
    const rows = box.querySelectorAll("[data-row]");
    const row = rows[Math.min(at, rows.length - 1)];
    const next = row?.querySelector<HTMLElement>(PARTS[part]) ?? box.querySelector<HTMLElement>("[data-rows-end]");
    (next ?? box).focus();
  }, [count]);
  const focusOn = (at: number, part: Part) => {
    wanted.current = { at, part };
  };
  return { list, focusOn };
}
