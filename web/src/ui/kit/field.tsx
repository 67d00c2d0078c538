import { Switch as BaseSwitch } from "@base-ui/react/switch";
import {
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from "react";

const CONTROL =
  "w-full rounded-lg border border-field bg-card px-3 text-sm text-ink placeholder:text-faint disabled:opacity-60 aria-invalid:border-danger";

interface FieldProps {
  label: string;
  /** What to enter, before anything is wrong. */
  hint?: ReactNode;
  /** What is wrong with it. */
  error?: string | undefined;
  /** The label is heard and not seen, where the place says what the field is. */
  bare?: boolean;
}

function Field({
  id,
  label,
  hint,
  error,
  bare = false,
  children,
}: FieldProps & { id: string; children: (described: string | undefined) => ReactNode }) {
  const hintId = `${id}-hint`;
  const errorId = `${id}-error`;
  const described = [hint === undefined ? null : hintId, error === undefined ? null : errorId]
    .filter(Boolean)
    .join(" ");
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className={bare ? "sr-only" : "text-sm font-medium"}>
        {label}
      </label>
      {children(described === "" ? undefined : described)}
      {hint !== undefined && (
        <p id={hintId} className="text-[0.8125rem] leading-snug text-soft">
          {hint}
        </p>
      )}
      {error !== undefined && (
        <p id={errorId} role="alert" className="text-[0.8125rem] leading-snug text-danger">
          {error}
        </p>
      )}
    </div>
  );
}

export function TextField({
  label,
  hint,
  error,
  bare,
  className,
  ...rest
}: FieldProps & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <Field id={id} label={label} {...pick({ hint, error, bare })}>
      {(described) => (
        <input
          {...rest}
          id={id}
          aria-describedby={described}
          aria-invalid={error === undefined ? undefined : true}
          className={`h-9 ${CONTROL} ${className ?? ""}`}
        />
      )}
    </Field>
  );
}

export function TextArea({
  label,
  hint,
  error,
  bare,
  className,
  ...rest
}: FieldProps & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId();
  return (
    <Field id={id} label={label} {...pick({ hint, error, bare })}>
      {(described) => (
        <textarea
          rows={4}
          {...rest}
          id={id}
          aria-describedby={described}
          aria-invalid={error === undefined ? undefined : true}
          className={`py-2 leading-relaxed ${CONTROL} ${className ?? ""}`}
        />
      )}
    </Field>
  );
}

export interface Option {
  value: string;
  label: string;
}

/** The system's own list: known to everybody, and right on every phone. */
export function Select({
  label,
  hint,
  error,
  bare,
  options,
  className,
  ...rest
}: FieldProps & SelectHTMLAttributes<HTMLSelectElement> & { options: Option[] }) {
  const id = useId();
  return (
    <Field id={id} label={label} {...pick({ hint, error, bare })}>
      {(described) => (
        <select
          {...rest}
          id={id}
          aria-describedby={described}
          aria-invalid={error === undefined ? undefined : true}
          className={`h-9 pr-8 ${CONTROL} ${className ?? ""}`}
        >
          {options.map(({ value, label: text }) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** On or off, at once. */
export function Switch({
  label,
  hint,
  checked,
  onChange,
  disabled = false,
}: {
  label: string;
  hint?: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}) {
  const id = useId();
  return (
    <div className="flex items-start justify-between gap-4">
      <div className="min-w-0">
        <span id={id} className="text-sm font-medium">
          {label}
        </span>
        {hint !== undefined && <p className="text-[0.8125rem] leading-snug text-soft">{hint}</p>}
      </div>
      <BaseSwitch.Root
        checked={checked}
        onCheckedChange={onChange}
        disabled={disabled}
        aria-labelledby={id}
        className="relative mt-0.5 h-6 w-10 shrink-0 rounded-full border border-field bg-sunken transition-colors data-checked:border-accent data-checked:bg-accent data-disabled:opacity-50"
      >
        <BaseSwitch.Thumb className="block size-4.5 translate-x-0.5 rounded-full bg-faint transition-transform data-checked:translate-x-[1.1rem] data-checked:bg-on-accent" />
      </BaseSwitch.Root>
    </div>
  );
}

/** Optional properties must be absent, not undefined. */
function pick(props: { hint: ReactNode; error: string | undefined; bare: boolean | undefined }) {
  return {
    ...(props.hint === undefined ? {} : { hint: props.hint }),
    ...(props.error === undefined ? {} : { error: props.error }),
    ...(props.bare === undefined ? {} : { bare: props.bare }),
  };
}
