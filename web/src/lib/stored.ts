import { useCallback, useState } from "react";

/** A value of this browser, such as somebody's saved views. Where storage is off it lasts as long as the page. */
export function useStored<T>(key: string, read: (value: unknown) => T): [T, (next: T) => void] {
  const [value, setValue] = useState<T>(() => {
    try {
      return read(JSON.parse(localStorage.getItem(key) ?? "null"));
    } catch {
      return read(null);
    }
  });
  const store = useCallback(
    (next: T) => {
      setValue(next);
      try {
        localStorage.setItem(key, JSON.stringify(next));
      } catch {
        // Full or off: it stays in memory.
      }
    },
    [key],
  );
  return [value, store];
}
