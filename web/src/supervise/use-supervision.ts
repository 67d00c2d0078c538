import { useEffect, useSyncExternalStore } from "react";
import { supervision } from "./session";
import { closedLine, type SuperviseView } from "./view";

/** The line to a call while mounted; it stays when its user has the call. Closed for whoever may not control calls. */
export function useSupervision(call: string, allowed: boolean): SuperviseView {
  useEffect(() => {
    if (!allowed) return;
    supervision.open(call);
    return () => supervision.leave(call);
  }, [call, allowed]);
  const view = useAnySupervision();
  return allowed && view.call === call ? view : closedLine;
}

/** The line of this page, whichever call it is to. */
export function useAnySupervision(): SuperviseView {
  return useSyncExternalStore(supervision.subscribe, supervision.view);
}
