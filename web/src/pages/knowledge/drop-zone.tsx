import { type ReactNode, useEffect, useRef, useState } from "react";
import { t } from "../../i18n";
import { UploadIcon } from "../../ui/icons";
import { addFiles } from "./uploads";

/** Everything that is read; the server looks at the content and says what it cannot read. */
const ACCEPT =
  ".pdf,.docx,.pptx,.xlsx,.html,.htm,.md,.markdown,.txt,.csv,.tsv,.eml,.png,.jpg,.jpeg,.tiff,.webp,.wav,.flac,.ogg,.mp3";
/** Of a folder that is dropped. */
const FILES_MAX = 500;

/** Files may be dropped anywhere on the page. */
export function useDrop(enabled: boolean): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    if (!enabled) return;
    let depth = 0;
    const ours = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    const enter = (event: DragEvent) => {
      if (!ours(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!ours(event)) return;
      depth -= 1;
      if (depth <= 0) setOver(false);
    };
    const allow = (event: DragEvent) => {
      if (ours(event)) event.preventDefault();
    };
    const take = (event: DragEvent) => {
      if (!ours(event) || event.dataTransfer === null) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      void filesOf(event.dataTransfer).then(addFiles);
    };
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("dragover", allow);
    window.addEventListener("drop", take);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("dragover", allow);
      window.removeEventListener("drop", take);
    };
  }, [enabled]);
  return over;
}

/** Folders are opened; what begins with a dot is the system's own. */
async function filesOf(data: DataTransfer): Promise<File[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...data.files];
  const files: File[] = [];
  const waiting: FileSystemEntry[] = entries;
  while (waiting.length > 0 && files.length < FILES_MAX) {
    const entry = waiting.shift();
    if (entry === undefined || entry.name.startsWith(".")) continue;
    if (entry instanceof FileSystemDirectoryEntry) waiting.push(...(await inFolder(entry)));
    else files.push(await fileOf(entry as FileSystemFileEntry));
  }
  return files;
}

async function inFolder(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  while (all.length < FILES_MAX) {
    // A reader gives a hundred at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) break;
    all.push(...some);
  }
  return all;
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((done, failed) => entry.file(done, failed));
}

export function DropHint() {
  return (
    <div className="pointer-events-none fixed inset-0 z-40 grid place-items-center bg-paper/80 p-6" aria-hidden="true">
      <div className="grid justify-items-center gap-3 rounded-3xl border-2 border-dashed border-accent bg-card px-14 py-12 text-center shadow-dialog">
        <UploadIcon className="size-9 text-accent-deep" />
        <p className="text-base font-semibold">{t("knowledge.drop_here")}</p>
        <p className="text-sm text-soft">{t("knowledge.kinds_read")}</p>
      </div>
    </div>
  );
}

/** The system's file picker, opened by whatever `children` draws. */
export function FilePicker({ children }: { children: (open: () => void) => ReactNode }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        accept={ACCEPT}
        hidden
        onChange={(event) => {
          addFiles([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
      {children(() => input.current?.click())}
    </>
  );
}
