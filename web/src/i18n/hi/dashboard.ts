export const home = { title: "होम" };
export const live = { title: "लाइव" };
export const calls = { title: "कॉल" };
export const call = { title: "कॉल" };
export const start = { title: "पहले कदम" };
