// Objects as square pictures, to be opened and selected.

import { Board, squares } from "./board.js";
import { el } from "./dom.js";
import { crop, fill } from "./draw.js";
import { objectKind } from "./correcting.js";
import { run } from "./run.js";
import { isSelected, reach, selectedIds, setSelected, toggle } from "./selection.js";

export function addressOf(image, object = null) {
  return `#/image?${new URLSearchParams(object ? { key: image.key, object: object.id } : { key: image.key })}`;
}

// What an open image leafs through: the list that it was opened from, by ids and keys.
export const sequence = { title: "", items: [] };

export function leafThrough(title, items) {
  Object.assign(sequence, { title, items: items.map(({ id, key }) => id ?? key) });
}

// A board of tiles in `bed`; `layout` may also be a strip, in what scrolls it.
export function tiles(bed, layout = squares(140, 8), row = null) {
  const board = new Board(bed, layout, render, dress, row);

  function render(object) {
    const stage = el("span", { class: "stage" });
    const link = el("a", { href: addressOf(object.image, object), onclick: pressed }, stage);
    return el("figure", { class: "tile", data: { id: object.id } }, link,
      !run.about.read_only && el("label", { class: "choose" }, el("input", {
        type: "checkbox", tabindex: -1, onclick: ticked,
      })), el("figcaption", {}));
  }

  function dress(tile, object, place) {
    const { image, category, score, similarity, likeness } = object;
    const name = `${image.key}, object ${object.place + 1}, score ${score.toFixed(2)}`;
    const parts = [name.replaceAll(", ", "\n"), category.title,
      similarity !== null && category.id > 0 && `similarity ${similarity.toFixed(2)}`];
    const link = tile.firstChild, box = tile.querySelector("input"), on = isSelected(object.id);
    if (tile.dataset.version !== image.version) {
      crop(link.firstChild, object);
      fill(link.firstChild, image, [object]);
      tile.dataset.version = image.version;
    }
    link.setAttribute("aria-label", `${place + 1} of ${board.items.length}: ${name}${on ? ", selected" : ""}`);
    link.title = parts.filter(Boolean).join("\n");
    tile.querySelector("figcaption").textContent = (likeness ?? similarity ?? score).toFixed(2);
    tile.classList.toggle("chosen", on);
    tile.classList.toggle("out", object.out);
    if (!box) return;
    box.checked = on;
    box.setAttribute("aria-label", `Select ${name}`);
  }

  const placeOf = (event) => Number(event.currentTarget.closest(".tile").dataset.place);

  function ticked(event) {
    if (event.shiftKey) reach(objectKind, board, placeOf(event));
    else toggle(objectKind, board, placeOf(event));
  }

  // While something is selected, a click selects more.
  function pressed(event) {
    const selects = event.shiftKey || event.ctrlKey || event.metaKey || selectedIds().length;
    if (selects && !run.about.read_only) {
      event.preventDefault();
      ticked(event);
    } else if (board.title !== undefined) leafThrough(board.title, board.items);
  }

  return Object.assign(board, { selects: true });
}

// Keys of the tile that has the focus; whether they mean something.
export function tileKey(event, { board, place }) {
  if (!board.selects || run.about.read_only) return false;
  const all = event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey);
  if (all) setSelected(objectKind, board.items.map(({ id }) => id), true);
  else if (event.key === " ") toggle(objectKind, board, place);
  else return false;
  return true;
}
