import type { ReactNode } from "react";

interface IconProps {
  className?: string;
}

function Icon({ className = "size-5", children }: IconProps & { children: ReactNode }) {
  return (
    <svg
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.9"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      className={className}
    >
      {children}
    </svg>
  );
}

export const LogoIcon = (p: IconProps) => (
  <svg viewBox="0 0 32 32" aria-hidden="true" className={p.className}>
    <rect width="32" height="32" rx="9" fill="currentColor" />
    <g stroke="var(--color-paper)" strokeWidth="2.6" strokeLinecap="round">
      <path d="M9 14v4M13.7 10.5v11M18.4 8v16M23 13v6" />
    </g>
  </svg>
);

export const MicIcon = (p: IconProps) => (
  <Icon {...p}>
    <rect x="9" y="3" width="6" height="11" rx="3" />
    <path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />
  </Icon>
);

export const MicOffIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M9 9v2a3 3 0 0 0 4.6 2.5M15 10V6a3 3 0 0 0-5.7-1.3M5.5 11.5a6.5 6.5 0 0 0 10.4 5.2M18.4 12.4l.1-.9M12 18v3M4 3l16 17" />
  </Icon>
);

export const PhoneDownIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M3.2 14.6c-.9-1.5-.6-3.4.8-4.5A12.8 12.8 0 0 1 12 7.4c3 0 5.8 1 8 2.7 1.4 1.1 1.7 3 .8 4.500l-.5.800a1.6 1.6 0 0 1-1.9.700l-2.2-.8a1.6 1.6 0 0 1-1-1.500v-1.500a10 10 0 0 0-6.4 0v1.500c0 .7-.4 1.3-1 1.500l-2.2.8a1.6 1.6 0 0 1-1.9-.7z" />
  </Icon>
);

export const HandIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M8 12V6.200a1.4 1.4 0 0 1 2.8 0V11m0-5.800a1.4 1.4 0 0 1 2.8 0V11m0-4.300a1.4 1.4 0 0 1 2.8 0V14c0 4-2.3 6.5-5.7 6.5-2.7 0-4-1.2-5.3-3.400l-2-3.300c-.9-1.6 1-2.9 2.2-1.700L8 14.4" />
  </Icon>
);

export const SendIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M12 19V5M6 11l6-6 6 6" />
  </Icon>
);

export const PlayIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M8 5.500v13l10.5-6.500z" fill="currentColor" />
  </Icon>
);

export const PauseIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M9 6v12M15 6v12" strokeWidth="3" />
  </Icon>
);

export const BookIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M5 5.500A1.5 1.5 0 0 1 6.5 4H19v13H6.500A1.5 1.5 0 0 0 5 18.500zM5 18.500A1.5 1.5 0 0 0 6.5 20H19v-3" />
  </Icon>
);

export const ToolIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M14.5 6.500a4 4 0 0 1 5-1.200l-2.7 2.7 1.2 1.7 2.6-2.200a4 4 0 0 1-5.6 4.700L8 19.200a1.9 1.9 0 0 1-2.7-2.700l7-6.900a4 4 0 0 1 2.2-3.100z" />
  </Icon>
);

export const WarnIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M12 4.5 21 19.500H3zM12 10.500v4M12 17.200v.1" />
  </Icon>
);

export const ChevronIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="m9 6 6 6-6 6" />
  </Icon>
);

export const BackIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M19 12H5m6-6-6 6 6 6" />
  </Icon>
);

export const CloseIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M6 6l12 12M18 6 6 18" />
  </Icon>
);

export const DownIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M12 5v14m6-6-6 6-6-6" />
  </Icon>
);

export const SunIcon = (p: IconProps) => (
  <Icon {...p}>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 3v1.500M12 19.500V21M3 12h1.500M19.5 12H21M5.6 5.600l1.1 1.100M17.3 17.300l1.1 1.100M5.6 18.400l1.1-1.100M17.3 6.700l1.1-1.1" />
  </Icon>
);

export const MoonIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M20 14.500A8.2 8.2 0 0 1 9.5 4a8.2 8.2 0 1 0 10.5 10.500z" />
  </Icon>
);

export const AutoIcon = (p: IconProps) => (
  <Icon {...p}>
    <circle cx="12" cy="12" r="8" />
    <path d="M12 4v16a8 8 0 0 0 0-16z" fill="currentColor" />
  </Icon>
);

export const InboundIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M18 6 7 17M7 9v8h8" />
  </Icon>
);

export const OutboundIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M6 18 17 7M9 7h8v8" />
  </Icon>
);

export const CheckIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="m5 12.500 4.500 4.500L19 7.500" />
  </Icon>
);

export const HomeIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M4 11.500 12 5l8 6.500V19a1 1 0 0 1-1 1h-4.500v-5h-5v5H5a1 1 0 0 1-1-1z" />
  </Icon>
);

export const LiveIcon = (p: IconProps) => (
  <Icon {...p}>
    <circle cx="12" cy="12" r="2.500" />
    <path d="M7.400 7.400a6.500 6.500 0 0 0 0 9.200M16.600 7.400a6.500 6.500 0 0 1 0 9.200M4.600 4.600a10.500 10.500 0 0 0 0 14.800M19.400 4.600a10.500 10.500 0 0 1 0 14.800" />
  </Icon>
);

export const CallsIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M4 6.500h10M4 12h7M4 17.500h10M17 9.500l3 2.500-3 2.500" />
  </Icon>
);

export const AgentIcon = (p: IconProps) => (
  <Icon {...p}>
    <rect x="4.500" y="8" width="15" height="11" rx="3.500" />
    <path d="M12 8V4.500M9.300 12.500v1.500M14.700 12.500v1.500M2.500 12.500v3M21.500 12.500v3" />
  </Icon>
);

export const SettingsIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M4 7h9M17 7h3M4 12h3M11 12h9M4 17h8M16 17h4" />
    <circle cx="15" cy="7" r="2" />
    <circle cx="9" cy="12" r="2" />
    <circle cx="14" cy="17" r="2" />
  </Icon>
);

export const SearchIcon = (p: IconProps) => (
  <Icon {...p}>
    <circle cx="11" cy="11" r="6.500" />
    <path d="m16 16 4 4" />
  </Icon>
);

export const MenuIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M4 7h16M4 12h16M4 17h16" />
  </Icon>
);

export const CompassIcon = (p: IconProps) => (
  <Icon {...p}>
    <circle cx="12" cy="12" r="8.500" />
    <path d="m15.500 8.500-2 5-5 2 2-5z" />
  </Icon>
);

export const SignOutIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M14 4.500H6.500A1.500 1.500 0 0 0 5 6v12a1.500 1.500 0 0 0 1.500 1.500H14M10.500 12H20m-3.500-3.500L20 12l-3.500 3.500" />
  </Icon>
);

export const DownloadIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M12 4v11m-4.500-4.500L12 15l4.500-4.500M5 19.500h14" />
  </Icon>
);

export const PlusIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M12 5v14M5 12h14" />
  </Icon>
);

export const TransferIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M4 8.500h13M13.500 5 17 8.500 13.500 12M20 15.500H7M10.500 12 7 15.500l3.500 3.500" />
  </Icon>
);

export const BookmarkIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M7 4.500h10V20l-5-3.800L7 20z" />
  </Icon>
);

export const LanguageIcon = (p: IconProps) => (
  <Icon {...p}>
    <circle cx="12" cy="12" r="8.500" />
    <path d="M3.500 12h17M12 3.500c2.500 2.300 3.700 5.200 3.700 8.500s-1.200 6.200-3.700 8.500c-2.500-2.300-3.700-5.200-3.700-8.500s1.200-6.200 3.700-8.500z" />
  </Icon>
);

export const PhoneIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M6.500 4h3l1.500 4.500-2 1.500a12 12 0 0 0 5 5l1.500-2L20 14.500v3a2 2 0 0 1-2.200 2A15.500 15.500 0 0 1 4.500 6.200 2 2 0 0 1 6.500 4z" />
  </Icon>
);

export const MoreIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M6 12h.1M12 12h.1M18 12h.1" strokeWidth="2.800" />
  </Icon>
);

export const ListenIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M4 14v-2a8 8 0 0 1 16 0v2" />
    <path d="M4 14.5A1.5 1.5 0 0 1 5.5 13H7v6H5.5A1.5 1.5 0 0 1 4 17.5zM20 14.5a1.5 1.5 0 0 0-1.5-1.5H17v6h1.5a1.5 1.5 0 0 0 1.5-1.5z" />
  </Icon>
);

export const WhisperIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M20 11.5a7.5 7.5 0 0 1-11 6.6L4 19.5l1.5-4.6a7.5 7.5 0 1 1 14.5-3.4z" />
    <path d="M9.5 11.5h.01M12.5 11.5h.01M15.5 11.5h.01" strokeWidth="2.6" />
  </Icon>
);

export const SayIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M4 9.5v5h3.5L12 18V6L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11" />
  </Icon>
);

export const TakeOverIcon = (p: IconProps) => (
  <Icon {...p}>
    <circle cx="9" cy="8" r="3.5" />
    <path d="M3 19.5a6 6 0 0 1 10.5-4M16 12l4 4-4 4M20 16h-6.5" />
  </Icon>
);

export const HandBackIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M9 5 4 10l5 5M4 10h10a6 6 0 0 1 6 6v3" />
  </Icon>
);

export const NodesIcon = (p: IconProps) => (
  <Icon {...p}>
    <rect x="4" y="4" width="16" height="6" rx="2" />
    <rect x="4" y="14" width="16" height="6" rx="2" />
    <path d="M8 7h.01M8 17h.01M12 7h4M12 17h4" />
  </Icon>
);

export const UploadIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M12 15.500V4.500m-4.500 4.500L12 4.500l4.500 4.500M5 15v3a1.500 1.500 0 0 0 1.500 1.500h11A1.500 1.500 0 0 0 19 18v-3" />
  </Icon>
);
export const FileIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M7 3.500h7l4.500 4.500v11a1.500 1.500 0 0 1-1.500 1.500H7A1.500 1.500 0 0 1 5.500 19V5A1.500 1.500 0 0 1 7 3.500zM13.500 4v4.500H18M9 13h6M9 16.500h4" />
  </Icon>
);
export const QuestionIcon = (p: IconProps) => (
  <Icon {...p}>
    <circle cx="12" cy="12" r="8.500" />
    <path d="M9.700 9.700a2.400 2.400 0 0 1 4.700.6c0 1.700-2.400 2-2.400 3.600M12 16.600v.1" />
  </Icon>
);
export const KeypadIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M7 6v.1M12 6v.1M17 6v.1M7 11v.1M12 11v.1M17 11v.1M7 16v.1M12 16v.1M17 16v.1M12 20.500v.1" />
  </Icon>
);
export const PencilIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="m5 19 .8-3.800L15.500 5.500a1.800 1.800 0 0 1 2.500 0l.5.500a1.800 1.800 0 0 1 0 2.500L8.800 18.200zM14 7l3 3" />
  </Icon>
);
export const TrashIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M5 7h14M10 7V4.500h4V7M7 7l.8 11.500a1.200 1.200 0 0 0 1.200 1h6a1.200 1.200 0 0 0 1.200-1L17 7M10.500 11v5M13.500 11v5" />
  </Icon>
);

export const ShareIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M10 14a4 4 0 0 0 6 .4l2.500-2.500a4 4 0 0 0-5.700-5.700L11.500 7.500M14 10a4 4 0 0 0-6-.4l-2.500 2.500a4 4 0 0 0 5.700 5.700l1.300-1.300" />
  </Icon>
);

export const MinusIcon = (p: IconProps) => (
  <Icon {...p}>
    <path d="M5 12h14" />
  </Icon>
);

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
