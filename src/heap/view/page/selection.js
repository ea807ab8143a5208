// What is selected in the view, objects or categories, and the bar of what can be done with it.

import { redress } from "./board.js";
import { button, corrects, el, find, sign } from "./dom.js";

let kind = null; // { tell(count), actions: [{ text(ids), key, fits(ids), run(ids), isHarmless }] }
const chosen = new Set();
let anchor = null; // the board and the place that Shift goes on from

export const selectedIds = () => [...chosen];
export const isSelected = (id) => chosen.has(id);

// Selecting one kind of thing lets go of the other.
export function setSelected(of, ids, on) {
  if (kind !== of) chosen.clear();
  kind = of;
  for (const id of ids) {
    if (on) chosen.add(id);
    else chosen.delete(id);
  }
  show();
}

export function toggle(of, board, place) {
  const { id } = board.items[place];
  setSelected(of, [id], kind !== of || !chosen.has(id));
  anchor = { board, place };
}

// All from the last that was chosen to this one; without one it is the first.
export function reach(of, board, place) {
  const from = anchor?.board === board ? anchor.place : place;
  const [first, last] = [Math.min(from, place), Math.max(from, place)];
  setSelected(of, board.items.slice(first, last + 1).map(({ id }) => id), true);
  anchor ??= { board, place };
}

export function clear() {
  chosen.clear();
  anchor = null;
  show();
}

// What is gone is no longer selected.
export function keepOnly(exists) {
  for (const id of chosen) if (!exists(id)) chosen.delete(id);
  show();
}

function show() {
  const bar = find("actions"), ids = selectedIds();
  document.body.classList.toggle("selecting", ids.length > 0);
  redress();
  for (const box of document.querySelectorAll("[data-chooses]")) {
    box.checked = chosen.has(Number(box.dataset.chooses));
  }
  bar.hidden = !ids.length;
  dispatchEvent(new Event("heap:selected"));
  if (bar.hidden) return;
  const fitting = kind.actions.filter(({ fits }) => !fits || fits(ids));
  bar.replaceChildren(el("span", {}, kind.tell(ids.length)),
    ...fitting.map(({ text, run, key, isHarmless }) => button(text(ids), () => run(ids),
      { title: key ? `Key ${key.toUpperCase()}` : null, ...isHarmless ? {} : corrects })),
    sign("Select nothing", "close", clear));
}

// Does what a key stands for with what is selected; whether it stands for something.
export function act(key) {
  const action = chosen.size && kind.actions.find((each) => each.key === key && (!each.fits || each.fits(selectedIds())));
  if (action) action.run(selectedIds());
  return Boolean(action);
}
