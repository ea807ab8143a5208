// Short messages at the edge of the page.

import { button, el, find } from "./dom.js";

const SECONDS = { good: 6, bad: 15 };

// `action` may be what can be done about it: its text, and what runs it.
export function say(text, kind = "good", action = null) {
  const close = () => toast.remove();
  const toast = el("div", { class: `toast ${kind}` }, el("span", {}, text),
    action && button(action.text, () => { close(); action.run(); }, { class: "link" }),
    button("✕", close, { class: "link", "aria-label": "Close this message" }));
  // Outside of an open dialog nothing can be read or pressed.
  (document.querySelector("dialog[open]") ?? document.body).append(find("toasts"));
  find("toasts").append(toast);
  setTimeout(close, 1000 * SECONDS[kind]);
}
