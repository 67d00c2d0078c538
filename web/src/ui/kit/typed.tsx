import { type ChangeEvent, type ComponentProps, useState } from "react";
import { t } from "../../i18n";
import { TextArea, TextField } from "./field";

interface Typed<T> {
  value: T;
  set: (value: T) => void;
  write: (value: T) => string;
  /** Null: the words stand for no value. */
  read: (text: string) => T | null;
}

/**
 * Words that stand for a value. While somebody is in the field they stay as they are typed, an empty line too; afterwards the
 * field shows what is kept. What stands for no value stays until it is mended, or another value comes.
 */
function useTyped<T>({ value, set, write, read }: Typed<T>) {
  const [typed, setTyped] = useState<{ text: string; instead: T } | null>(null);
  const wrong = typed !== null && read(typed.text) === null && typed.instead === value;
  const [inside, setInside] = useState(false);
  return {
    wrong,
    field: {
      value: typed !== null && (inside || wrong) ? typed.text : write(value),
      onFocus: () => setInside(true),
      onChange: (event: ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) => {
        const next = read(event.target.value);
        setTyped({ text: event.target.value, instead: value });
        if (next !== null) set(next);
      },
      onBlur: () => {
        setInside(false);
        if (!wrong) setTyped(null);
      },
    },
  };
}

type Own = "value" | "onChange" | "onFocus" | "onBlur" | "defaultValue";

/** A line that stands for a value, such as words between commas. */
export function TypedField<T>({
  value,
  set,
  write,
  read,
  ...rest
}: Typed<T> & Omit<ComponentProps<typeof TextField>, Own | keyof Typed<T>>) {
  return <TextField {...rest} {...useTyped({ value, set, write, read }).field} />;
}

/** Lines that stand for a value. */
export function TypedArea<T>({
  value,
  set,
  write,
  read,
  ...rest
}: Typed<T> & Omit<ComponentProps<typeof TextArea>, Own | keyof Typed<T>>) {
  return <TextArea {...rest} {...useTyped({ value, set, write, read }).field} />;
}

/** A number within its bounds; anything else is said below the field and not taken over. */
export function NumberField({
  value,
  set,
  min,
  max,
  step = 1,
  ...rest
}: Omit<ComponentProps<typeof TextField>, Own | "type" | "min" | "max" | "step"> & {
  value: number;
  set: (value: number) => void;
  min: number;
  max: number;
  /** `any`: also what is not whole. */
  step?: 1 | "any";
}) {
  const read = (text: string) => numberOf(text, { min, max, whole: step === 1 });
  const { wrong, field } = useTyped({ value, set, write: String, read });
  const error = wrong ? t(step === 1 ? "kit.whole_between" : "kit.between", { min, max }) : undefined;
  return <TextField {...rest} {...field} type="number" min={min} max={max} step={step} error={error} />;
}

export function numberOf(text: string, { min, max, whole }: { min: number; max: number; whole: boolean }) {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  return number >= min && number <= max && (!whole || Number.isInteger(number)) ? number : null;
}
