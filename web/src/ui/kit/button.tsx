import { Link, type LinkProps } from "@tanstack/react-router";
import type { ButtonHTMLAttributes, ReactNode } from "react";

export type Tone = "primary" | "secondary" | "ghost" | "danger";
export type Size = "sm" | "md" | "lg";

const TONES: Record<Tone, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-deep shadow-raised",
  secondary: "border border-line bg-card text-ink hover:bg-sunken",
  ghost: "text-soft hover:bg-sunken hover:text-ink",
  danger: "bg-hangup text-white hover:opacity-90",
};
const SIZES: Record<Size, string> = {
  sm: "h-8 gap-1.5 rounded-lg px-2.5 text-sm",
  md: "h-9 gap-2 rounded-lg px-3.5 text-sm",
  lg: "h-11 gap-2 rounded-xl px-5 text-[0.9375rem]",
};

function look(tone: Tone, size: Size): string {
  return `inline-flex shrink-0 items-center justify-center font-medium whitespace-nowrap transition-colors disabled:opacity-50 aria-disabled:opacity-50 ${TONES[tone]} ${SIZES[size]}`;
}

interface Look {
  tone?: Tone;
  size?: Size;
  icon?: ReactNode;
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & Look & { busy?: boolean };

/** `busy`: the request runs; the button stays where it is and takes no second press. */
export function Button({
  tone = "secondary",
  size = "md",
  icon,
  busy = false,
  children,
  className,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      aria-busy={busy || undefined}
      disabled={rest.disabled === true || busy}
      className={`${look(tone, size)} ${className ?? ""}`}
    >
      {busy ? <Spinner /> : icon}
      {children}
    </button>
  );
}

/** Somewhere else in the pages that looks like a button. */
export function LinkButton({
  tone = "secondary",
  size = "md",
  icon,
  children,
  className,
  ...link
}: LinkProps & Look & { children: ReactNode; className?: string; onClick?: () => void }) {
  return (
    <Link {...link} className={`${look(tone, size)} ${className ?? ""}`}>
      {icon}
      {children}
    </Link>
  );
}

/** A button of an icon alone: `label` is its name for everybody who does not see it. */
export function IconButton({
  label,
  size = "md",
  children,
  className,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { label: string; size?: "sm" | "md" }) {
  return (
    <button
      type="button"
      title={label}
      {...rest}
      aria-label={label}
      className={`grid shrink-0 place-items-center rounded-lg text-soft transition-colors hover:bg-sunken hover:text-ink disabled:opacity-50 ${size === "sm" ? "size-7" : "size-9"} ${className ?? ""}`}
    >
      {children}
    </button>
  );
}

export function Spinner() {
  return (
    <span
      aria-hidden="true"
      className="size-4 animate-spin rounded-full border-2 border-current border-r-transparent opacity-70"
    />
  );
}
