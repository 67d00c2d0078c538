/**
 * The widget's looks. They are given to the shadow root as a constructed style sheet, which no content security policy of
 * the website forbids, and nothing of the website's own styles gets in.
 */
export const STYLES = `
:host { all: initial; color-scheme: light; }
:host([data-scheme="dark"]) { color-scheme: dark; }
* { box-sizing: border-box; }
.root {
  --ground: #ffffff; --text: #16181d; --muted: #5a6270; --line: #767e8c; --agent: #eef0f4; --person: #fdf1d8;
  --problem: #a3130d; --shadow: 0 12px 40px rgb(0 0 0 / .22);
  position: fixed; bottom: 20px; right: 20px; z-index: 2147483000;
  font: 400 15px/1.5 system-ui, "Noto Sans", "Noto Sans Devanagari", sans-serif; color: var(--text); text-align: start;
}
:host([data-scheme="dark"]) .root {
  --ground: #16181d; --text: #f2f4f8; --muted: #aab2c0; --line: #7d8593; --agent: #262a32; --person: #3b3220;
  --problem: #ff9d94;
}
:host([data-position="left"]) .root { right: auto; left: 20px; }
button, textarea { font: inherit; color: inherit; }
button { cursor: pointer; border: 0; background: none; padding: 0; }
button:disabled { cursor: default; opacity: .5; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
svg { display: block; width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round;
  stroke-linejoin: round; }
[hidden] { display: none !important; }
.launch { display: grid; place-items: center; width: 56px; height: 56px; border-radius: 50%; background: var(--brand);
  color: var(--on-brand); box-shadow: var(--shadow); margin-inline-start: auto; }
:host([data-position="left"]) .launch { margin-inline-start: 0; }
.panel { display: flex; flex-direction: column; width: 380px; height: min(600px, calc(100dvh - 40px)); overflow: hidden;
  background: var(--ground); border-radius: 16px; box-shadow: var(--shadow); border: 1px solid var(--line);
  animation: rise .16s ease-out; }
.head { display: flex; align-items: center; gap: 10px; padding: 12px 14px; background: var(--brand); color: var(--on-brand); }
.head img { width: 32px; height: 32px; border-radius: 8px; object-fit: contain; background: #fff; }
.head h2 { flex: 1; margin: 0; font-size: 16px; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.icon { display: grid; place-items: center; width: 40px; height: 40px; border-radius: 10px; flex: none; }
.head :focus-visible { outline-color: var(--on-brand); outline-offset: -3px; }
.log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 14px; display: flex; flex-direction: column; gap: 8px; }
.log ol { list-style: none; margin: 0; padding: 0; display: flex; flex-direction: column; gap: 8px; }
.message { max-width: 85%; padding: 8px 12px; border-radius: 14px; background: var(--agent); white-space: pre-wrap;
  overflow-wrap: anywhere; align-self: flex-start; }
.message[data-role="visitor"] { align-self: flex-end; background: var(--brand); color: var(--on-brand); }
.message[data-role="person"] { background: var(--person); }
.who { display: block; font-size: 12px; color: var(--muted); }
.message[data-role="person"] .who { color: inherit; font-weight: 600; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.note { align-self: center; text-align: center; font-size: 13px; color: var(--muted); }
.status { min-height: 24px; padding: 0 14px 4px; font-size: 13px; color: var(--muted); }
.problem { color: var(--problem); }
.partial { font-style: italic; }
.bars { display: flex; align-items: center; justify-content: center; gap: 4px; height: 40px; padding: 0 14px; }
.bars i { width: 4px; height: 100%; border-radius: 2px; background: var(--brand-text); transform: scaleY(.1); }
.voice { display: flex; justify-content: center; gap: 10px; padding: 4px 14px 8px; }
.pill { display: inline-flex; align-items: center; gap: 8px; min-height: 44px; padding: 0 14px; border-radius: 22px;
  border: 1px solid var(--line); }
.pill[aria-pressed="true"] { background: var(--text); color: var(--ground); }
.main { background: var(--brand); color: var(--on-brand); border-color: transparent; }
.form { display: flex; align-items: flex-end; gap: 6px; padding: 10px 12px; border-top: 1px solid var(--line); }
.form textarea { flex: 1; resize: none; max-height: 120px; min-height: 44px; padding: 10px 12px; border-radius: 12px;
  border: 1px solid var(--line); background: transparent; }
.form textarea::placeholder { color: var(--muted); opacity: 1; }
.form .icon { width: 44px; height: 44px; }
.form .icon[type="submit"] { background: var(--brand); color: var(--on-brand); }
.consent { padding: 14px; display: flex; flex-direction: column; gap: 12px; border-top: 1px solid var(--line); }
.consent p { margin: 0; }
a { color: var(--brand-text); }
.foot { display: flex; justify-content: space-between; gap: 12px; padding: 0 14px 10px; font-size: 13px; }
.foot button { text-decoration: underline; color: var(--muted); min-height: 24px; }
@keyframes rise { from { opacity: 0; transform: translateY(12px); } }
@media (prefers-reduced-motion: reduce) { .panel { animation: none; } .bars i { transition: none; } }
@media (max-width: 480px), (max-height: 480px) {
  .root[data-open] { inset: 0; }
  .panel { width: 100%; height: 100%; border: 0; border-radius: 0; }
  .form textarea { font-size: 16px; }
}
@media (forced-colors: active) { .message, .panel, .launch, .icon, .pill { border: 1px solid; } }
`;
