import type { Messages } from "../en";
import * as agents from "./agents";
import * as conduct from "./conduct";
import * as dashboard from "./dashboard";
import * as flows from "./flows";
import * as graph from "./graph";
import * as kit from "./kit";
import * as looks from "./looks";
import * as settings from "./settings";
import * as shaping from "./shaping";
import * as shares from "./shares";
import * as shell from "./shell";
import * as signIn from "./sign-in";
import * as supervise from "./supervise";
import * as talk from "./talk";
import * as widget from "./widget";

export const hi: Messages = {
  ...shell,
  ...talk,
  ...dashboard,
  ...signIn,
  ...shaping,
  ...agents,
  ...flows,
  ...kit,
  ...settings,
  ...supervise,
  ...shares,
  ...graph,
  ...looks,
  ...widget,
  ...conduct,
};
