import { t, wordsOf } from "../i18n";

/** Who calls or is called, or over which line, when nobody knows. */
export function callerName(call: { customer?: string | null; carrier: string }): string {
  if (call.customer != null && call.customer !== "") return call.customer;
  return wordsOf("carriers", call.carrier) ?? t("carriers.line", { name: call.carrier.replaceAll("_", " ") });
}
