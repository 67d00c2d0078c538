export const home = { title: "Home" };
export const live = { title: "Live" };
export const calls = { title: "Calls" };
export const call = { title: "Call" };
export const start = { title: "First steps" };
