// Short messages at the edge of the page.

import { button, el, find } from "./dom.js";

const SECONDS = { good: 5, bad: 12 };

// `undo` may be what takes back what the message tells.
export function say(text, kind = "good", undo = null) {
  const close = () => toast.remove();
  const again = undo && button("Undo", () => { close(); undo(); }, { class: "link" });
  const toast = el("div", { class: `toast ${kind}` }, el("span", {}, text), again,
    button("✕", close, { class: "link", "aria-label": "Close this message" }));
  find("toasts").append(toast);
  setTimeout(close, 1000 * SECONDS[kind]);
}
