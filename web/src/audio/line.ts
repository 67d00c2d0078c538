// The line itself is the SDK's; the pages only say where their worklets are.
import captureUrl from "../../../sdks/js/src/audio/capture.worklet.ts?worker&url";
import { type LineListener, AudioLine as SdkLine } from "../../../sdks/js/src/audio/line";
import playbackUrl from "../../../sdks/js/src/audio/playback.worklet.ts?worker&url";

export { audioSupported, type LineListener, type MicProblem, openMicrophone } from "../../../sdks/js/src/audio/line";
export {
  type LineClose,
  type LineMessage,
  type LineRoute,
  type LineTransport,
  RtcLine,
} from "../../../sdks/js/src/rtc";
export type AudioLine = SdkLine;

export const AudioLine = {
  /** Call it from a click or a key press, or the browser keeps the context suspended. */
  open: (context: AudioContext, microphone: MediaStream | null, listener: LineListener): Promise<AudioLine> =>
    SdkLine.open(context, microphone, listener, [captureUrl, playbackUrl]),
};
