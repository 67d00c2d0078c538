import { api } from "../api/client";
import { asApiError } from "../api/problem";
import { toastProblem } from "../ui/kit/toast";
import { forgetSession } from "./session";

/** Ends the session here and on the server, and begins anew, so that nothing of it stays in memory. */
export async function signOut(): Promise<void> {
  try {
    await api.POST("/api/v1/auth/logout");
  } catch (error) {
    // A session that is over already is what was asked for.
    if (asApiError(error).status !== 401) {
      toastProblem(error);
      return;
    }
  }
  forgetSession();
  window.location.assign("/sign-in");
}
