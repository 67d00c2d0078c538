/** Both worklets in one file, for `AudioContext.audioWorklet.addModule`. */
import "./capture.worklet.js";
import "./playback.worklet.js";
