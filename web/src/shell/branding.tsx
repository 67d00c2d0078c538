import { useEffect } from "react";
import { $api } from "../api/client";
import { useCan } from "../auth/me";
import { t } from "../i18n";
import { LogoIcon } from "../ui/icons";

export const PRODUCT = "Frontdesk";

export interface Looks {
  name: string | null;
  primary: string | null;
  accent: string | null;
  logo: string | null;
}

const NONE: Looks = { name: null, primary: null, accent: null, logo: null };
const STALE_MS = 300_000;

/** How the business that is signed in to looks. */
export function useBranding(): Looks {
  const can = useCan();
  const { data } = $api.useQuery(
    "get",
    "/api/v1/branding",
    {},
    { enabled: can("business:read"), staleTime: STALE_MS, retry: false },
  );
  if (data === undefined) return NONE;
  return {
    name: data.name ?? null,
    primary: data.primary_color ?? null,
    accent: data.accent_color ?? null,
    logo: data.logo == null ? null : data.logo.url,
  };
}

/** How the business looks whose domain this is, before anybody has signed in. */
export function usePublicBranding(): Looks {
  const { data } = $api.useQuery("get", "/api/v1/public/branding", {}, { staleTime: STALE_MS, retry: false });
  if (data === undefined) return NONE;
  return {
    name: data.name ?? null,
    primary: data.primary_color ?? null,
    accent: data.accent_color ?? null,
    logo: data.logo_url ?? null,
  };
}

/** Hue and strength of a colour, at a lightness at which it can be read on both themes. */
const at = (color: string, light: number, dark: number) =>
  `light-dark(oklch(from ${color} min(l, ${light}) c h), oklch(from ${color} max(l, ${dark}) c h))`;

/** The custom properties of the palette that a business changes. */
export function palette({ primary, accent }: Pick<Looks, "primary" | "accent">): Record<string, string> {
  return {
    ...(primary === null
      ? {}
      : {
          "--color-accent": at(primary, 0.52, 0.77),
          "--color-accent-deep": at(primary, 0.46, 0.83),
          "--color-agent": at(primary, 0.56, 0.75),
          "--color-agent-ink": at(primary, 0.46, 0.8),
        }),
    ...(accent === null
      ? {}
      : { "--color-caller": at(accent, 0.66, 0.8), "--color-caller-ink": at(accent, 0.46, 0.83) }),
  };
}

/** Puts a business's colours on the whole document. */
export function useLooks(looks: Looks): void {
  const { primary, accent } = looks;
  useEffect(() => {
    const { style } = document.documentElement;
    const own = Object.entries(palette({ primary, accent }));
    for (const [name, value] of own) style.setProperty(name, value);
    return () => {
      for (const [name] of own) style.removeProperty(name);
    };
  }, [primary, accent]);
}

export function Logo({ looks, className }: { looks: Looks; className: string }) {
  if (looks.logo === null) return <LogoIcon className={`${className} text-accent`} />;
  const alt = t("branding.logo_of", { name: looks.name ?? PRODUCT });
  return <img src={looks.logo} alt={alt} className={`${className} rounded-lg object-contain`} />;
}
