// Just enough WAV for a fake microphone: 16-bit PCM.
import { readFile, writeFile } from "node:fs/promises";

/** A copy of a WAV with silence before and after, so that the caller speaks after the greeting. */
export async function padWav(from, to, before_ms, after_ms) {
  const bytes = await readFile(from);
  if (bytes.toString("latin1", 0, 4) !== "RIFF" || bytes.toString("latin1", 8, 12) !== "WAVE") {
    throw new Error(`${from} is not a WAV file`);
  }
  const format = chunk(bytes, "fmt ");
  const data = chunk(bytes, "data");
  if (format === null || data === null || format.readUInt16LE(0) !== 1 || format.readUInt16LE(14) !== 16) {
    throw new Error(`${from} must be 16-bit PCM`);
  }
  const [channels, hz] = [format.readUInt16LE(2), format.readUInt32LE(4)];
  const silence = (ms) => Buffer.alloc(Math.round((ms * hz) / 1000) * channels * 2);
  await writeFile(to, wav(channels, hz, Buffer.concat([silence(before_ms), data, silence(after_ms)])));
}

/** One part of a WAV, such as `data`, or null. */
export function chunk(bytes, name) {
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at + 4);
    if (bytes.toString("latin1", at, at + 4) === name) return bytes.subarray(at + 8, at + 8 + size);
    at += 8 + size + (size % 2);
  }
  return null;
}

export function wav(channels, hz, data) {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(hz, 24);
  head.writeUInt32LE(hz * channels * 2, 28);
  head.writeUInt16LE(channels * 2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}
