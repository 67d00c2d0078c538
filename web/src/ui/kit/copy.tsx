import { useState } from "react";
import { t } from "../../i18n";
import { Button } from "./button";
import { toast } from "./toast";

/** A value to take along: an address, or a secret that is shown this once. */
export function Copyable({ label, value, multiline = false }: { label: string; value: string; multiline?: boolean }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      setCopied(true);
      toast(t("shell.copied"));
    } catch {
      // Clipboards exist on secure pages only; the text can be marked by hand.
      setCopied(false);
    }
  };
  return (
    <div>
      <p className="mb-1.5 text-sm font-medium">{label}</p>
      <div className="flex items-start gap-2">
        <code
          className={`min-w-0 flex-1 rounded-lg border border-line bg-sunken min-h-9 px-3 py-1.5 font-mono text-[0.8125rem] leading-relaxed select-all wrap-anywhere ${multiline ? "whitespace-pre-wrap" : ""}`}
        >
          {value}
        </code>
        <Button onClick={() => void copy()}>{copied ? t("shell.copied") : t("shell.copy")}</Button>
      </div>
    </div>
  );
}
