import { useState } from "react";
import { toastProblem } from "./toast";

/** Something that a button does: busy meanwhile, and a problem is said. Resolves to whether it worked. */
export function useAction(): { busy: boolean; run: (work: () => Promise<unknown>) => Promise<boolean> } {
  const [busy, setBusy] = useState(false);
  const run = async (work: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await work();
      return true;
    } catch (error) {
      toastProblem(error);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, run };
}
