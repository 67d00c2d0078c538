import { useLocation } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useCan } from "../auth/me";
import { t } from "../i18n";
import { Empty, Page } from "../ui/kit/page";
import { PLACES } from "./nav";

/** A page that somebody's role does not offer may still be in an address that was sent to them: it says so. */
export function Allowed({ children }: { children: ReactNode }) {
  const can = useCan();
  const { pathname } = useLocation();
  const place = PLACES.flat().find(({ to }) => to !== "/" && (pathname === to || pathname.startsWith(`${to}/`)));
  if (place === undefined || place.needs(can)) return children;
  return (
    <Page title={t(place.label)}>
      <Empty title={t("shell.not_allowed")}>{t("shell.not_allowed_help")}</Empty>
    </Page>
  );
}
