// The editor of a mask, over the photo of an open image: parts to click on, brush, eraser, a box.

import { area, connectedParts, cut, decode, draw, encode, paint, partsIn, same } from "./bitmap.js";
import { button, el, objectsIn, sign } from "./dom.js";
import { COLOURS } from "./draw.js";
import { undoThis } from "./history.js";
import { layerKey, lookNow } from "./looks.js";
import { correct } from "./run.js";
import { say } from "./say.js";
import { ask, attempt } from "./source.js";
import { addressOf } from "./tiles.js";
import { isPinching, zoomKey } from "./zoom.js";

const TOOLS = {
  p: ["parts", "Parts", "Click a part of the photo to add it, or to take it away."],
  b: ["brush", "Brush", "Drag over what belongs to the object."],
  e: ["eraser", "Eraser", "Drag over what does not belong to it."],
  c: ["box", "Box", "Drag a box: what is outside of it goes. Where nothing is drawn yet, the box is filled."],
};
const FILL = { tint: 0.42, outline: 0, dim: 0 }, VEIL = 0.6, HOVER = [255, 255, 255];
const STEP = 0.012, LARGEST = 0.25; // of the longer side: of an arrow key, and of the brush
let open = null; // what is edited, see `start`
let coming = false;

addEventListener("heap:look", () => { if (open) show(); });

export const isEditing = () => open !== null;

// The mask of the object in a place of an image, or of a new one where `place` is null.
export async function editMask(image, place, world, viewer) {
  if (open || coming) return;
  coming = true;
  const told = await attempt(() => ask("masks", { key: image.key }));
  coming = false;
  if (told && world.isConnected) start(image, place, world, viewer, told);
}

function start(image, place, world, viewer, { size, masks, regions }) {
  const [height, width] = size, decoded = masks.map((counts) => decode(counts, size));
  const others = decoded.filter((mask, at) => at !== place && area(mask));
  const pieces = regions.map((counts) => decode(counts, size));
  const parts = [...pieces, ...others].map((mask) => ({ mask, pixels: area(mask) })).sort((a, b) => a.pixels - b.pixels);
  const number = place ?? image.objects.length;
  const canvas = el("canvas", {
    class: "drawing", width, height, tabindex: 0, role: "application",
    "aria-label": `Mask of object ${number + 1}: arrows move, Space uses the tool`,
  });
  const mask = place === null ? new Uint8Array(width * height) : decoded[place];
  open = {
    image, place, number, world, viewer, size, pieces, parts, canvas, mask, first: Uint8Array.from(mask), tool: place === null ? "box" : "parts",
    diameter: Math.max(4, Math.round(Math.max(...size) / 30)), done: [], undone: [], split: null, stroke: null, hover: null,
    at: [width / 2, height / 2], cursor: el("div", { class: "cursor", hidden: true }),
  };
  world.append(canvas, open.cursor);
  open.inks = inks(viewer);
  viewer.classList.add("editing");
  viewer.querySelector(".panel").prepend(panel(number));
  listen(canvas);
  choose(open.tool);
  canvas.focus({ preventScroll: true });
}

export function closeEditor() {
  if (!open) return;
  const { canvas, cursor, viewer, panel: tools } = open;
  open = null;
  for (const part of [canvas, cursor, tools]) part.remove();
  viewer.classList.remove("editing");
}

function panel(number) {
  const tool = ([key, [name, text]]) => button([text, el("kbd", {}, key.toUpperCase())], () => choose(name),
    { data: { tool: name }, "aria-pressed": "false" });
  open.slider = el("input", {
    type: "range", min: 2, max: Math.round(LARGEST * Math.max(...open.size)), value: open.diameter, "aria-label": "Size of the brush",
    oninput: () => resize(Number(open.slider.value)), onchange: () => open.canvas.focus({ preventScroll: true }),
  });
  open.told = el("p", { class: "soft", role: "status" });
  open.hint = el("p", { class: "soft" });
  open.apply = button("Apply", apply, { class: "strong", title: "Key Enter" });
  open.back = sign("Undo (Ctrl+Z)", "undo", () => travel(open.done, open.undone));
  open.again = sign("Redo (Ctrl+Shift+Z)", "redo", () => travel(open.undone, open.done));
  open.panel = el("section", { class: "editor", "aria-label": "Edit the mask" },
    el("div", { class: "line" }, el("h3", {}, open.place === null ? "A missed object" : `Mask of object ${number + 1}`),
      el("span", { class: "push" }), open.back, open.again),
    el("div", { class: "tabs", role: "group", "aria-label": "Tools" }, Object.entries(TOOLS).map(tool)), open.hint,
    el("label", { class: "row" }, "Size", open.slider, el("kbd", {}, "["), el("kbd", {}, "]")),
    el("div", { class: "line" }, button(["Split parts", el("kbd", {}, "S")], () => split("S"), { class: "quiet", title: "Where it is not connected" }),
      button(["Split along regions", el("kbd", {}, "R")], () => split("R"), { class: "quiet" })),
    open.told,
    el("div", { class: "line ends" }, open.apply, button("Cancel", closeEditor, { class: "quiet", title: "Key Esc" })));
  return open.panel;
}

function choose(name) {
  Object.assign(open, { tool: name, hover: null, stroke: null });
  for (const each of open.panel.querySelectorAll("[data-tool]")) each.setAttribute("aria-pressed", String(each.dataset.tool === name));
  open.hint.textContent = Object.values(TOOLS).find(([tool]) => tool === name)[2];
  open.canvas.dataset.tool = name;
  point(open.at, !open.cursor.hidden);
  show();
}

function resize(diameter) {
  open.diameter = Math.min(Number(open.slider.max), Math.max(2, Math.round(diameter)));
  open.slider.value = open.diameter;
  point(open.at, true);
}

// Draws the mask soon, and says how large it is.
function show() {
  if (!open.drawing) requestAnimationFrame(() => { if (open) { open.drawing = false; render(); } });
  open.drawing = true;
}

function render() {
  const { canvas, mask, split: parts, hover, stroke, size } = open, look = lookNow();
  const shown = (parts ?? [mask]).map((each, at) => (
    { mask: each, colour: open.inks[(open.number + at) % COLOURS], fill: parts ? 0.5 : FILL[look] }));
  if (hover) shown.push({ mask: hover, colour: HOVER, fill: 0.35 });
  draw(canvas, shown, look === "dim" ? VEIL : 0);
  if (stroke?.box) outlineBox(canvas, stroke.box);
  const share = area(mask) / mask.length, changed = parts || !same(mask, open.first);
  open.apply.disabled = !share || !changed;
  open.back.disabled = !open.done.length;
  open.again.disabled = !open.undone.length;
  const told = parts ? `${objectsIn(parts.length)} when it is applied.` : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} % of the photo.`;
  open.told.textContent = share ? told : open.place === null ? "Nothing is drawn yet." : "Nothing is left of it: reject the object instead.";
  canvas.dataset.pixels = Math.round(share * size[0] * size[1]);
}

// The colours of objects, as numbers.
function inks(parent) {
  return Array.from({ length: COLOURS }, (_, number) => {
    const probe = el("i", { class: `c${number}` });
    parent.append(probe);
    const hex = getComputedStyle(probe).getPropertyValue("--c").trim();
    probe.remove();
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  });
}

function outlineBox(canvas, [left, top, right, bottom]) {
  const context = canvas.getContext("2d");
  context.lineWidth = Math.max(1, canvas.width / canvas.clientWidth) * 2;
  context.setLineDash([context.lineWidth * 3, context.lineWidth * 2]);
  context.strokeStyle = "#fff";
  context.strokeRect(left, top, right - left, bottom - top);
}

// Where the tool is: a circle as large as the brush, or a cross.
function point([x, y], visible) {
  const { cursor, size: [height, width], tool, diameter } = open, round = ["brush", "eraser"].includes(tool);
  open.at = [Math.min(width, Math.max(0, x)), Math.min(height, Math.max(0, y))];
  cursor.hidden = !visible;
  cursor.classList.toggle("cross", !round);
  Object.assign(cursor.style, {
    left: `${(100 * open.at[0]) / width}%`, top: `${(100 * open.at[1]) / height}%`,
    width: round ? `${(100 * diameter) / width}%` : "", height: round ? `${(100 * diameter) / height}%` : "",
  });
}

// The smallest part of the photo at a point: a piece of a region, or another object.
function partAt([x, y]) {
  const [height, width] = open.size;
  const at = Math.min(height - 1, Math.floor(y)) * width + Math.min(width - 1, Math.floor(x));
  return open.parts.find(({ mask }) => mask[at]);
}

function press(at) {
  open.stroke = { from: at, last: at, before: encode(open.mask, open.size), box: null };
  drag(at);
}

function drag(at) {
  const { stroke, tool, mask, size, diameter } = open;
  if (tool === "box") stroke.box = [0, 1].map((axis) => Math.min(stroke.from[axis], at[axis])).concat([0, 1].map((axis) => Math.max(stroke.from[axis], at[axis])));
  else if (tool !== "parts") paint(mask, size, stroke.last, at, diameter / 2, Number(tool === "brush"));
  if (tool !== "parts") open.split = null;
  stroke.last = at;
  show();
}

function release() {
  const { stroke, tool, mask, size } = open;
  open.stroke = null;
  if (tool === "parts") toggle(partAt(stroke.from));
  if (tool === "box" && stroke.box[2] - stroke.box[0] > 1 && stroke.box[3] - stroke.box[1] > 1) cut(mask, size, stroke.box.map(Math.round));
  if (!same(mask, decode(stroke.before, size))) {
    open.done.push(stroke.before);
    Object.assign(open, { undone: [], split: null });
  }
  show();
}

// A part of which most is in the mask goes, another one comes.
function toggle(part) {
  if (!part) return;
  const { mask } = open, inside = part.mask.reduce((sum, pixel, at) => sum + (pixel & mask[at]), 0);
  part.mask.forEach((pixel, at) => { if (pixel) mask[at] = Number(inside < part.pixels / 2); });
  open.hover = null;
}

function abandon() {
  if (!open?.stroke) return;
  open.mask = decode(open.stroke.before, open.size);
  open.stroke = null;
  show();
}

function travel(from, to) {
  if (!from.length) return;
  to.push(encode(open.mask, open.size));
  Object.assign(open, { mask: decode(from.pop(), open.size), split: null, stroke: null });
  show();
}

function split(how) {
  const parts = how === "S" ? connectedParts(open.mask, open.size) : partsIn(open.mask, open.pieces);
  open.split = parts.length > 1 ? parts : null;
  show();
  if (parts.length < 2) say(how === "S" ? "It is in one piece: cut it with the eraser first" : "All of it is in one region", "bad");
}

async function apply() {
  if (open.apply.disabled) return;
  const { image, place, size, mask, split: parts } = open, id = image.objects[place]?.id;
  const runs = (each) => ({ size, counts: encode(each, size) }), body = { key: image.key };
  if (place === null) body.added = (parts ?? [mask]).map(runs);
  else if (parts) body.split = { [id]: parts.map(runs) };
  else body.replaced = { [id]: runs(mask) };
  open.apply.disabled = true;
  open.apply.textContent = "Applying …"; // the first time the model is loaded
  const done = await attempt(() => correct("objects/masks", body));
  if (open) open.apply.textContent = "Apply";
  if (!done) { if (open) show(); return; }
  closeEditor();
  const text = place === null ? `Added ${objectsIn(done.ids.length)}` : parts ? `${objectsIn(done.ids.length)} of one now` : `Object ${place + 1} has another mask now`;
  say(text, "good", undoThis());
  if (done.outdated) say(`It cannot be compared with others yet: ${done.reason}`, "bad");
  if (place === null) location.replace(addressOf(image, { id: done.ids[0] }));
}

function listen(canvas) {
  const at = (event) => {
    const area = canvas.getBoundingClientRect();
    return [((event.clientX - area.left) / area.width) * canvas.width, ((event.clientY - area.top) / area.height) * canvas.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || isPinching()) return;
    canvas.setPointerCapture(event.pointerId);
    press(at(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (isPinching()) { abandon(); return; }
    point(at(event), event.pointerType !== "touch" && open.tool !== "parts");
    if (open.stroke) drag(at(event));
    else hover(event.pointerType === "mouse" ? partAt(at(event))?.mask ?? null : null);
  });
  canvas.addEventListener("pointerup", () => { if (open.stroke) release(); });
  canvas.addEventListener("pointercancel", abandon);
  canvas.addEventListener("pointerleave", () => { if (open) { open.cursor.hidden = true; hover(null); } });
}

function hover(mask) {
  const wanted = open.tool === "parts" ? mask : null;
  if (wanted === open.hover) return;
  open.hover = wanted;
  show();
}

// All keys but those of other parts of the page are for the editor; whether one means something.
export function editorKey({ key, shiftKey, ctrlKey, metaKey, altKey, target }) {
  const letter = key.toLowerCase(), onControl = target.closest?.("button, a, input");
  if (ctrlKey || metaKey || altKey) {
    if (altKey || !"zy".includes(letter)) return false;
    if (letter === "y" || shiftKey) travel(open.undone, open.done);
    else travel(open.done, open.undone);
  } else if (letter === "escape") closeEditor();
  else if (letter === "enter" && !onControl) apply();
  else if (letter === " " && !onControl) use();
  else if (TOOLS[letter]) choose(TOOLS[letter][0]);
  else if (letter === "s" || letter === "r") split(letter.toUpperCase());
  else if (key === "[" || key === "]") resize(open.diameter * (key === "]" ? 1.25 : 0.8));
  else return (letter === "l" && layerKey(letter)) || zoomKey(key, shiftKey) || step(key);
  return true;
}

// Uses the tool where the arrows have led; a box has two corners.
function use() {
  if (!open.stroke) press(open.at);
  else drag(open.at);
  if (open.tool !== "box" || open.stroke.from !== open.at) release();
}

function step(key) {
  const to = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (!to) return false;
  const far = Math.max(...open.size) * STEP;
  point([open.at[0] + to[0] * far, open.at[1] + to[1] * far], true);
  if (open.stroke) drag(open.at);
  hover(partAt(open.at)?.mask ?? null);
  return true;
}
