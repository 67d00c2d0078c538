import { t } from "../i18n";

/** `user:ID`, `key:ID`, `client:ID` or `installation`, as lists write who did something. */
export function whoWords(actor: string): string {
  const kind = actor.split(":")[0];
  if (kind === "user") return t("people.user");
  if (kind === "key") return t("people.key");
  if (kind === "client") return t("people.client");
  if (kind === "installation") return t("people.installation");
  return actor;
}
