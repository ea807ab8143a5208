// Short messages at the edge of the page.

import { button, el, find } from "./dom.js";

const SECONDS = { good: 6, bad: 15 };

// `undo` may be what takes back what the message tells.
export function say(text, kind = "good", undo = null) {
  const close = () => toast.remove();
  const toast = el("div", { class: `toast ${kind}` }, el("span", {}, text),
    undo && button("Undo", () => { close(); undo(); }, { class: "link" }),
    button("✕", close, { class: "link", "aria-label": "Close this message" }));
  // Outside of an open dialog nothing can be read or pressed.
  (document.querySelector("dialog[open]") ?? document.body).append(find("toasts"));
  find("toasts").append(toast);
  setTimeout(close, 1000 * SECONDS[kind]);
}
