// Chromium as the browser tests use it: fake microphone, no network of its own.
import { chromium } from "playwright-core";

export function launch(microphoneWav, moreArgs = []) {
  const microphone = microphoneWav ? [`--use-file-for-fake-audio-capture=${microphoneWav}%noloop`] : [];
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      ...microphone,
      "--autoplay-policy=no-user-gesture-required",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-default-apps",
      "--disable-domain-reliability",
      "--disable-sync",
      "--metrics-recording-only",
      "--no-first-run",
      "--no-pings",
      ...moreArgs,
    ],
  });
}

/** Notes everything a clean page must not do: errors on the console, and requests to anywhere but its own server. */
export function watch(page, baseUrl) {
  const { host } = new URL(baseUrl);
  const bad = [];
  const allowed = (address) => {
    const url = new URL(address);
    return url.host === host || ["blob:", "data:", "about:"].includes(url.protocol);
  };
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    bad.push(`console: ${message.text()} (${message.location().url}, on ${page.url()})`);
  });
  page.on("pageerror", (error) => bad.push(`uncaught: ${error.message}`));
  page.on("request", (request) => {
    if (!allowed(request.url())) bad.push(`request to ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    if (!allowed(socket.url())) bad.push(`socket to ${socket.url()}`);
  });
  return bad;
}
