import { Icon, type IconProps } from "../../../ui/icons";

export const FlowIcon = (p: IconProps) => (
  <Icon {...p}>
    <rect x="9" y="3" width="6" height="5" rx="1.5" />
    <rect x="3" y="16" width="6" height="5" rx="1.5" />
    <rect x="15" y="16" width="6" height="5" rx="1.5" />
    <path d="M12 8v4M6 16v-2a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v2" />
  </Icon>
);

export const BranchIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M12 3v6M12 9c0 4-6 3-6 8M12 9c0 4 6 3 6 8M3.5 14.5 6 17l2.5-2.5M15.5 14.5 18 17l2.5-2.5" />
  </Icon>
);

export const KeypadIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M7 6v.1M12 6v.1M17 6v.1M7 11v.1M12 11v.1M17 11v.1M7 16v.1M12 16v.1M17 16v.1M12 20.5v.1" />
  </Icon>
);

export const SetIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M5 9.5h14M5 14.5h14" />
  </Icon>
);

export const EndIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M6 21V4M6 5h11l-2.5 3.5L17 12H6" />
  </Icon>
);
