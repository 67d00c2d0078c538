import { useCan } from "../auth/me";
import { t } from "../i18n";
import { Dialog } from "../ui/kit/dialog";
import { Key } from "../ui/kit/page";
import { placesFor } from "./nav";
import { closeOverlay } from "./shortcuts";

export default function ShortcutsHelp() {
  const can = useCan();
  const rows: [string, string[]][] = [
    [t("shell.palette"), ["Ctrl", "K"]],
    [t("shell.shortcuts"), ["?"]],
    ...placesFor(can)
      .flat()
      .map(({ label, key }): [string, string[]] => [t("shell.go_to", { place: t(label) }), ["G", key.toUpperCase()]]),
  ];
  return (
    <Dialog open onClose={closeOverlay} title={t("shell.shortcuts")}>
      <dl className="flex flex-col gap-1">
        {rows.map(([name, keys]) => (
          <div key={name} className="flex items-center justify-between gap-4 py-1 text-sm">
            <dt>{name}</dt>
            <dd className="flex gap-1">
              {keys.map((key) => (
                <Key key={key}>{key}</Key>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
