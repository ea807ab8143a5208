// One image, large: its objects, and what is like one of them or like what is in a box.

import { ask, attempt, bring, picture } from "./api.js";
import { button, el, find, icon, isTyping, plural, select, svg } from "./dom.js";
import { layerKey, layerSwitches } from "./layers.js";
import { take } from "./objects.js";
import { state, tellChanged, titleOf } from "./state.js";
import { imageLink, tile } from "./tiles.js";

const COLOURS = 7;
const NEAREST = 24;
const DRAG = 6; // Pixels from which a press is a box and no click.

const view = find("viewer");
let shown = null; // What is open: { key, file, photo, size, canvas, shapes, nearest, chosen, box }
let sequence = null; // The list that it was opened from.
let asked = null;

export const isOpen = () => !view.hidden;
export const leafThrough = (pages) => { sequence = pages; };

export async function openImage(key, object) {
  if (shown?.key === key && !shown.file) {
    choose(placeOf(shown.shapes, object));
    return;
  }
  const found = await attempt(() => ask("image", { key }));
  if (!found) { closeViewer(); return; }
  const { image, canvas, shapes } = found;
  forgetPhoto();
  shown = {
    key, canvas, shapes, note: image.note, size: [image.width, image.height],
    photo: picture("photo", { key }), regions: picture("regions", { key }),
  };
  draw();
  choose(placeOf(shapes, object));
}

// An image that is not of the run; nothing of it is kept.
export async function openFile(file) {
  forgetPhoto();
  shown = { file, key: file.name, photo: URL.createObjectURL(file), shapes: [], canvas: [1, 1],
    size: [1, 1], note: "looking for objects …" };
  draw();
  const found = await attempt(() => bring("discover", file, { count: NEAREST }));
  if (shown?.file !== file) return;
  if (!found) { leave(); return; }
  Object.assign(shown, {
    canvas: found.canvas, size: [found.width, found.height], shapes: found.shapes,
    nearest: found.nearest, note: "", regions: asAddress(found.regions),
  });
  draw();
  choose(found.shapes.length ? 0 : -1);
}

// An address of a PNG that came as text.
function asAddress(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
}

export function closeViewer() {
  view.hidden = true;
  document.body.classList.remove("viewing");
  forgetPhoto();
  asked?.abort();
  shown = null;
}

// Back to the list that it was opened from.
export function leave() {
  // An image that was dropped has no address of its own.
  if ((location.hash || "#/categories") === state.list) closeViewer();
  else location.hash = state.list;
}

function forgetPhoto() {
  if (shown?.file) [shown.photo, shown.regions].forEach((each) => URL.revokeObjectURL(each));
}

// Where nothing else is said, the best object that nobody has rejected.
function placeOf(shapes, object) {
  const found = shapes.findIndex((each) => each.object.id === object);
  return found >= 0 ? found : shapes.findIndex((each) => !each.object.rejected);
}

function draw() {
  view.hidden = false;
  document.body.classList.add("viewing");
  view.replaceChildren(top(), stage(), el("aside", { class: "panel" },
    el("ol", { class: "objects" }, ...shown.shapes.map(line)),
    el("section", { id: "nearest", "aria-label": "Most alike" })));
  view.querySelector(".round").focus({ preventScroll: true });
}

function top() {
  const leaf = (step, name, sign) => button(icon(sign), () => go(step),
    { class: "round", "aria-label": name, disabled: shown.file !== undefined || !sequence });
  return el("header", { class: "top" },
    button(icon("back"), leave, { class: "round", "aria-label": "Close" }),
    el("h2", {}, el("bdi", { title: shown.key }, shown.key)),
    el("p", { class: "soft" }, [
      shown.size[0] > 1 && `${shown.size[0]} × ${shown.size[1]}`,
      shown.note || (shown.shapes.length ? plural(shown.shapes.length, "object") : "no object"),
    ].filter(Boolean).join(" · ")),
    el("span", { class: "push" }), layerSwitches(),
    leaf(-1, "The image before", "back"), leaf(1, "The next image", "next"));
}

function stage() {
  const [width, height] = shown.canvas;
  const photo = el("img", { class: "plain", src: shown.photo, alt: "", draggable: "false" });
  const layer = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" },
    ...shown.shapes.map((shape, place) => outline(shape, place)), svg("rect", { class: "drawn" }));
  const frame = el("div", { class: "frame" }, photo,
    shown.regions && el("img", { class: "regions", src: shown.regions, alt: "" }), layer);
  frame.style.setProperty("--ratio", shown.size[0] / shown.size[1]);
  if (shown.size[0] === 1) photo.addEventListener("load", () => {
    frame.style.setProperty("--ratio", photo.naturalWidth / photo.naturalHeight);
  });
  listen(frame);
  const hint = el("p", { class: "soft hint" }, state.run.searchable
    ? "Drag a box over the photo to look for what is in it." : "");
  if (!shown.file) photo.addEventListener("error", () => {
    photo.src = picture("thumbnail", { key: shown.key });
    hint.textContent = "The photo is not where it was, or another one by now: this is its preview.";
  }, { once: true });
  return el("div", { class: "stage" }, frame, hint);
}

function outline({ path, object }, place) {
  const [across, down] = [shown.canvas[0] / shown.size[0], shown.canvas[1] / shown.size[1]];
  const [x1, y1, x2, y2] = object.box;
  const group = svg("g", { class: `c${place % COLOURS}` },
    svg("path", { class: "mask", d: path, transform: "translate(.5 .5)" }),
    svg("rect", {
      class: "box", x: x1 * across, y: y1 * down, width: (x2 - x1) * across,
      height: (y2 - y1) * down,
    }));
  group.dataset.place = place;
  group.classList.toggle("out", object.rejected);
  return group;
}

function line({ object }, place) {
  const where = object.category === null ? "" : titleOf(object.category);
  const row = el("li", { class: `c${place % COLOURS}`, data: { place } },
    button("", () => choose(place), { class: "pick", "aria-label": `Object ${place + 1}` }));
  row.firstChild.append(el("span", { class: "dot" }), el("span", {}, object.score.toFixed(2)),
    el("span", { class: "soft box-of" }, object.box.map(Math.round).join(" ")));
  if (where) row.append(el("a", { class: "chip", href: `#/category/${object.category}` }, where));
  if (!shown.file && !state.run.read_only) {
    row.append(button(icon(object.rejected ? "restore" : "reject"), () => reject(place), {
      class: "round", "aria-label": `${object.rejected ? "Restore" : "Reject"} object ${place + 1}`,
      title: object.rejected ? "It is an object after all" : "It is no object",
    }));
  }
  row.classList.toggle("out", object.rejected);
  return row;
}

async function reject(place) {
  const { object } = shown.shapes[place];
  if (await take([object.id], !object.rejected)) tellChanged();
}

// After a change: the same image as it is now.
export async function redraw() {
  if (!shown || shown.file) return;
  const { key, chosen } = shown;
  const found = await attempt(() => ask("image", { key }));
  if (!found || shown?.key !== key) return;
  shown.shapes = found.shapes;
  draw();
  choose(chosen);
}

function choose(place) {
  shown.chosen = place;
  shown.box = null;
  mark();
  if (place < 0) { findNearest(null); return; }
  const { object } = shown.shapes[place];
  if (!shown.file) history.replaceState(null, "", imageLink(shown.key, object.id));
  if (shown.nearest) list(`Like object ${place + 1}`, shown.nearest[place]);
  else findNearest({ title: `Like object ${place + 1}`, path: "nearest/object", values: { id: object.id } });
}

function mark() {
  for (const part of view.querySelectorAll("[data-place]")) {
    part.classList.toggle("chosen", Number(part.dataset.place) === shown.chosen);
  }
  const drawn = view.querySelector(".drawn"), box = shown.box ?? [0, 0, 0, 0];
  const scale = [shown.canvas[0] / shown.size[0], shown.canvas[1] / shown.size[1]];
  const edges = { x: box[0] * scale[0], y: box[1] * scale[1],
    width: (box[2] - box[0]) * scale[0], height: (box[3] - box[1]) * scale[1] };
  for (const [name, value] of Object.entries(edges)) drawn.setAttribute(name, value);
}

async function findNearest(wanted, where = "") {
  const section = find("nearest");
  asked?.abort();
  section.replaceChildren();
  if (!wanted) return;
  asked = new AbortController();
  section.append(el("div", { class: "line" }, el("h3", {}, wanted.title)),
    el("p", { class: "soft" }, wanted.path === "nearest/object" ? "" : "Looking …"));
  const values = { ...wanted.values, where, count: NEAREST }, { signal } = asked;
  const hits = await attempt(() => shown.file && wanted.path === "nearest/image"
    ? bring(wanted.path, shown.file, values) : ask(wanted.path, values, { signal }));
  if (signal.aborted) return;
  list(wanted.title, hits ?? [], (category) =>
    findNearest(wanted, category === "" ? "" : `category = ${Number(category)}`), where);
}

function list(title, hits, narrow = null, where = "") {
  const options = [["", "in all categories"],
    ...state.categories.filter((each) => !each.rejected).map((each) => [String(each.id), each.title])];
  find("nearest").replaceChildren(
    el("div", { class: "line" }, el("h3", {}, title), el("span", { class: "push" }),
      narrow && options.length > 1 ? select(options, where.split(" = ")[1] ?? "", narrow,
        { "aria-label": "Only in" }) : null),
    hits.length ? el("div", { class: "tiles small" }, ...hits.map((hit) => tile(hit)))
      : el("p", { class: "soft" }, "Nothing was found."));
}

// Boxes are drawn by dragging, objects are chosen by a click.
function listen(frame) {
  let start = null;
  const at = (event) => {
    const area = frame.getBoundingClientRect();
    const part = [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
    return part.map((share, axis) => Math.min(1, Math.max(0, share)) * shown.size[axis]);
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    start = { at: at(event), x: event.clientX, y: event.clientY, target: event.target };
    frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!start || !state.run.searchable) return;
    start.dragged ||= Math.hypot(event.clientX - start.x, event.clientY - start.y) > DRAG;
    if (!start.dragged) return;
    const end = at(event);
    shown.box = [0, 1].map((axis) => Math.min(start.at[axis], end[axis]))
      .concat([0, 1].map((axis) => Math.max(start.at[axis], end[axis])));
    shown.chosen = -1;
    mark();
  });
  frame.addEventListener("pointerup", () => {
    const { dragged, target } = start ?? {};
    start = null;
    if (dragged) searchBox();
    else if (target?.closest("[data-place]")) choose(Number(target.closest("[data-place]").dataset.place));
  });
  frame.addEventListener("pointercancel", () => { start = null; });
}

function searchBox() {
  const box = shown.box.map((edge) => edge.toFixed(1)).join(",");
  const title = "Like what is in the box";
  if (shown.file) findNearest({ title, path: "nearest/image", values: { box } });
  else findNearest({ title, path: "nearest/box", values: { key: shown.key, box } });
}

// The entry of the list before or after, if there is one.
async function go(step) {
  if (!sequence || shown.file) return;
  const here = sequence.items.findIndex((each) => each.id
    ? each.id === shown.shapes[shown.chosen]?.object.id : each.key === shown.key);
  const place = here + step;
  if (here < 0 || place < 0) return;
  if (place >= sequence.items.length) await sequence.more();
  const entry = sequence.items[place];
  if (entry) location.replace(imageLink(entry.key, entry.id));
}

export function viewerKey(event) {
  if (isTyping(event)) return false;
  if (event.key === "Escape") leave();
  else if (event.key === "ArrowRight") go(1);
  else if (event.key === "ArrowLeft") go(-1);
  else if (event.key === "x" && shown.shapes[shown.chosen] && !shown.file && !state.run.read_only) {
    reject(shown.chosen);
  } else if (Number(event.key) && shown.shapes[Number(event.key) - 1]) choose(Number(event.key) - 1);
  else return layerKey(event.key);
  return true;
}
