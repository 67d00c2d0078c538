import { t } from "../../../i18n";
import { QuestionIcon, SayIcon, ToolIcon, TransferIcon } from "../../../ui/icons";
import { BranchIcon, EndIcon, KeypadIcon, SetIcon } from "./icons";
import { type Exit, type FlowKind, type FlowNode, summaryOf } from "./model";

const ICONS = {
  say: SayIcon,
  ask: QuestionIcon,
  menu: KeypadIcon,
  branch: BranchIcon,
  tool: ToolIcon,
  set: SetIcon,
  transfer: TransferIcon,
  end: EndIcon,
};

export function KindIcon({ kind, className }: { kind: FlowKind; className?: string }) {
  const Icon = ICONS[kind];
  return <Icon className={className ?? "size-4"} />;
}

/** What a way out of a step is called: “otherwise”, or which case it is. */
export function exitName(node: FlowNode, { name }: Exit): string {
  const { kind } = node;
  if (name.startsWith("case:")) {
    const at = Number(name.slice(5));
    const choice = kind === "menu" ? node.choices[at] : undefined;
    if (choice?.key !== undefined) return t("flows.exit_key", { key: choice.key });
    return choice?.said?.[0] ?? t("flows.exit_case", { number: at + 1 });
  }
  if (name === "failed") return t("flows.exit_failed");
  if (name === "otherwise")
    return t(kind === "ask" || kind === "menu" ? "flows.exit_given_up" : "flows.exit_otherwise");
  return t(kind === "ask" ? "flows.exit_answered" : "flows.exit_next");
}

export function kindName(kind: FlowKind): string {
  return t(`flows.kind_${kind}`);
}

/** One line about a step, for whoever looks for it. */
export function titleOf(node: FlowNode): string {
  const summary = summaryOf(node);
  return summary === "" ? kindName(node.kind) : summary;
}
