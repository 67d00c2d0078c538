/** How long a browser may take to begin with a file that is in memory. */
const BEGIN_MS = 10_000;

/** Gives a file that is in memory to the person. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), BEGIN_MS);
}
