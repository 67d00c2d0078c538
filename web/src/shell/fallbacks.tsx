import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { Problem, Skeleton } from "../ui/kit/page";

/** A route whose code or data is on its way. */
export function RouteWaiting() {
  return (
    <div className="mx-auto max-w-6xl px-4 py-8 sm:px-8">
      <Skeleton rows={5} className="h-16" />
    </div>
  );
}

export function RouteProblem({ error }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <div className="mx-auto max-w-2xl px-4 py-10">
      <Problem error={error} retry={() => void router.invalidate()} />
    </div>
  );
}
