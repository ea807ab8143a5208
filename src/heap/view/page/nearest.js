// What is like an object, or like what is in a box: a part of the panel beside an open image.

import { squares } from "./board.js";
import { objectKind } from "./correcting.js";
import { button, el, objectsIn, select } from "./dom.js";
import { run } from "./run.js";
import { setSelected } from "./selection.js";
import { ask, attempt, bring, isGallery } from "./source.js";
import { tiles } from "./tiles.js";

export const NEAREST = 200; // objects that are looked for
const FIRST = 24; // of them that are shown until a slider says otherwise

let asked = null;
let part = null; // { head, soft, board, file }: the part, and the image if it is not of the run

export function nearestPart(file = null) {
  const head = el("div", { class: "line" }), soft = el("p", { class: "soft" }), bed = el("div");
  part = { head, soft, bed, file };
  return el("section", { id: "nearest", "aria-label": "Most alike" }, head, soft, bed);
}

// When it is in the page.
export function fillNearest() {
  part.board = tiles(part.bed, squares(84, 6));
}

export function closeNearest() {
  asked?.abort();
  part?.board?.close();
  part = null;
}

// `wanted` is a title with a path and values of a search; without it nothing is looked for.
export async function findNearest(wanted, where = "") {
  asked?.abort();
  showNearest(wanted?.title ?? "", [], null, "", wanted && wanted.path !== "nearest/object" ? "Looking …" : "");
  if (!wanted || isGallery) return;
  asked = new AbortController();
  const values = { ...wanted.values, where, count: NEAREST }, { signal } = asked;
  const hits = await attempt(() => (wanted.path === "nearest/image"
    ? bring(wanted.path, part.file, values) : ask(wanted.path, values, { signal })));
  if (signal.aborted || !part) return;
  showNearest(wanted.title, hits ?? [], (category) =>
    findNearest(wanted, category === "" ? "" : `category = ${Number(category)}`), where);
}

export function showNearest(title, hits, narrow = null, where = "", note = "Nothing was found.") {
  const { head, soft, board } = part;
  const options = [["", "in all categories"],
    ...run.categories.filter((each) => !each.rejected).map((each) => [String(each.id), each.title])];
  head.replaceChildren(...[title && el("h3", {}, title), el("span", { class: "push" }),
    narrow && options.length > 1 && select(options, where.split(" = ")[1] ?? "", narrow, { "aria-label": "Only in" }),
  ].filter(Boolean));
  const all = hits.filter(({ id }) => run.byId.has(id))
    .map(({ id, similarity }) => ({ ...run.byId.get(id), likeness: similarity }));
  if (!all.length) board.show([]);
  soft.replaceChildren(...(all.length ? howAlike(all) : [note]));
}

// A slider for how alike objects must be to be shown, and a button that selects these.
function howAlike(all) {
  const least = (all[FIRST - 1] ?? all.at(-1)).likeness, told = el("output", {});
  let near = [];
  const slider = el("input", {
    type: "range", min: 0, max: 1, step: 0.01, "aria-label": "Least similarity", oninput: narrow,
  });
  const selects = !run.about.read_only && button("Select them",
    () => setSelected(objectKind, near.map(({ id }) => id), true), { class: "link" });
  function narrow(event) {
    // Until it is moved: its steps are coarser than similarities.
    const wanted = event ? Number(slider.value) : least;
    near = all.filter(({ likeness }) => likeness >= wanted);
    told.textContent = `${objectsIn(near.length)} at ${wanted.toFixed(2)} or more`;
    part.board.show(near);
  }
  slider.value = least;
  narrow();
  const { outdated } = run.about;
  return [slider, told, selects, outdated > 0
    && el("span", {}, `${objectsIn(outdated)} with corrected masks cannot be compared yet: repeat heap discover.`)].filter(Boolean);
}
