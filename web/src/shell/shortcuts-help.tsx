import { useCan } from "../auth/me";
import { t } from "../i18n";
import { Dialog } from "../ui/kit/dialog";
import { Key } from "../ui/kit/page";
import { placesFor } from "./nav";
import { closeOverlay, keysOfPage } from "./shortcuts";

export default function ShortcutsHelp() {
  const can = useCan();
  const here = keysOfPage().map(({ key, label }): Row => [t(label), [key.toUpperCase()]]);
  const rows: Row[] = [
    [t("shell.palette"), ["Ctrl", "K"]],
    [t("shell.shortcuts"), ["?"]],
    ...placesFor(can)
      .flat()
      .map(({ label, key }): Row => [t("shell.go_to", { place: t(label) }), ["G", key.toUpperCase()]]),
  ];
  return (
    <Dialog open onClose={closeOverlay} title={t("shell.shortcuts")}>
      {here.length > 0 && <Rows rows={here} />}
      <Rows rows={rows} />
    </Dialog>
  );
}

type Row = [name: string, keys: string[]];

function Rows({ rows }: { rows: Row[] }) {
  return (
    <dl className="flex flex-col gap-1 not-first-of-type:mt-3 not-first-of-type:border-t not-first-of-type:border-line not-first-of-type:pt-3">
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
  );
}
