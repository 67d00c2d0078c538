/**
 * Frontdesk in a browser: a website's visitor writes to an agent or talks with it.
 *
 * @packageDocumentation
 */
export type { MicProblem } from "./audio/line.js";
export { type ConnectOptions, Frontdesk, type FrontdeskEvents, type LineState } from "./client.js";
export { Emitter, type Unsubscribe } from "./emitter.js";
export { FrontdeskError, type FrontdeskErrorCode } from "./errors.js";
export type { Phase } from "./protocol.js";
export type { Message, Role } from "./transcript.js";
export type { VisitStorage, WidgetSettings, WidgetTheme } from "./visit.js";
