// The corrections of the run: taking them back, making them again, and their list.

import { button, corrects, el, find, keep, kept, number } from "./dom.js";
import { correct, run } from "./run.js";
import { say } from "./say.js";
import { ask, attempt } from "./source.js";

const MOST = 200; // entries that are shown
const corrections = (count) => number(count, "correction");

export async function undo(steps = 1) {
  const done = await attempt(() => correct("history/undo", { steps }));
  if (done) say(steps > 1 ? `${corrections(steps)} taken back` : `Taken back: ${done.what}`);
  return done;
}

export async function redo(steps = 1) {
  const done = await attempt(() => correct("history/redo", { steps }));
  if (done) say(steps > 1 ? `${corrections(steps)} made again` : `Made again: ${done.what}`);
  return done;
}

// What takes back the correction that was just made; if another one has followed, the list says so.
export function undoThis() {
  const { seen } = run;
  return { text: "Undo", run: () => (run.seen === seen ? undo() : openHistory()) };
}

export async function openHistory() {
  const entries = await attempt(() => ask("history"));
  if (!entries) return;
  const sheet = find("history-sheet"), standing = entries.filter(({ undone }) => !undone).length;
  const go = async (place) => {
    // The entry in this place is to be the last one that stands.
    const steps = place + 1 - standing;
    sheet.close();
    if (steps < 0) await undo(-steps);
    else await redo(steps);
  };
  const who = el("input", {
    type: "text", value: kept("who", ""), maxlength: 60, placeholder: "for the history", autocomplete: "name",
    onchange: () => keep("who", who.value.trim()),
  });
  const line = (entry, place) => el("li", { class: entry.undone ? "undone" : null },
    el("div", {}, el("bdi", {}, entry.what),
      el("span", { class: "soft" }, [entry.who, whenOf(entry.time)].filter(Boolean).join(", "))),
    place === standing - 1 ? el("b", { class: "soft" }, "now")
      : button("Back to here", () => go(place), { class: "quiet", ...corrects }));
  const lines = entries.map(line).reverse().slice(0, MOST);
  sheet.replaceChildren(
    el("h2", { id: "history-title" }, "History"),
    lines.length ? el("ol", { class: "history", reversed: true }, ...lines,
      lines.length < MOST && el("li", {}, el("div", {}, "Before the first correction"),
        standing ? button("Back to here", () => go(-1), { class: "quiet", ...corrects })
          : el("b", { class: "soft" }, "now")))
      : el("p", { class: "soft" }, "Nothing was corrected yet. What is, can be taken back here."),
    el("label", { class: "row" }, "Your name", who),
    el("form", { method: "dialog", class: "buttons" }, el("button", { class: "strong" }, "Close")));
  sheet.showModal();
}

// "15:04" where that is today.
function whenOf(time) {
  const date = new Date(time), today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
