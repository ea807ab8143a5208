// Objects as square pictures.

import { picture } from "./api.js";
import { el } from "./dom.js";
import { titleOf } from "./state.js";

export const tileSource = (id, side) => picture("tile", { id, side });

export function imageLink(key, object) {
  return `#/image?${new URLSearchParams(object ? { key, object } : { key })}`;
}

// An object that leads to its image; with a selection it can be selected.
export function tile(object, selection = null) {
  const name = `${object.key}, score ${object.score.toFixed(2)}`;
  const shown = el("figure", { class: "tile" },
    el("a", { href: imageLink(object.key, object.id), title: hint(object), "aria-label": name },
      el("img", {
        src: tileSource(object.id, 160), width: 160, height: 160, alt: "", loading: "lazy",
        decoding: "async",
      })),
    el("figcaption", {}, el("span", {}, value(object.similarity ?? object.score))));
  shown.dataset.id = object.id;
  if (selection) shown.append(selection.box(object.id, shown, name));
  return shown;
}

const value = (number) => number.toFixed(2);

function hint(object) {
  const parts = [object.id, `score ${value(object.score)}`];
  if (object.similarity !== null) parts.push(`similarity ${value(object.similarity)}`);
  if (object.category !== null) parts.push(titleOf(object.category));
  return parts.join("\n");
}
