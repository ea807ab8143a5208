// One image, large: its objects, and what is like one of them or like what is in a box.

import { rejectObjects } from "./correcting.js";
import { button, corrects, el, icon, objectsIn, sign, svg } from "./dom.js";
import { COLOURS, hold, outlines, picture, release, trace } from "./draw.js";
import { layerSwitches } from "./looks.js";
import { closeEditor, editMask, isEditing } from "./masks.js";
import { closeNearest, fillNearest, findNearest, NEAREST, nearestPart, showNearest } from "./nearest.js";
import { run } from "./run.js";
import { asAddress, attempt, bring, isGallery, photoOf } from "./source.js";
import { addressOf, sequence } from "./tiles.js";
import { isPinching, viewNow, zoomIn, zoomKey } from "./zoom.js";

const DRAG = 6; // pixels from which a press is a box and no click

let list = null; // the address of that list
let shown = null; // what is open: { image, file, photo, drawing, objects, chosen, box, near, world }

export const rememberList = (address) => { list = address; };
export const leave = () => { location.hash = list ?? "#/images"; };
export const entryShown = () => shown && sequence.items[placeInList()];

export function showImage(main, wanted) {
  function update({ key, object }) {
    const image = run.byKey.get(key);
    if (!image) {
      main.replaceChildren(el("div", { class: "empty" }, el("p", {}, `This run has no image “${key}”.`)));
      return;
    }
    if (shown?.image.key !== key || shown.image.version !== image.version || shown.file) {
      const view = shown?.image.key === key ? viewNow() : null;
      close();
      const drawing = hold(image);
      open(main, { image, drawing, view, photo: photoOf(image) ?? drawing.thumbnail, regions: drawing.regions });
      drawing.outlines().then((found) => { if (shown?.drawing === drawing) trace(shown.overlay, found, image); }, () => {});
    } else Object.assign(shown, { image });
    listObjects();
    choose(placeOf(image.objects, object));
  }
  update(wanted);
  return update;
}

// An image that is not of the run; nothing of it is kept.
export function showFile(main, { file }) {
  close();
  const image = { key: file.name, width: 1, height: 1, note: "looking for objects …", objects: [] };
  open(main, { image, file, photo: URL.createObjectURL(file) });
  discover(main, file);
  return () => {};
}

async function discover(main, file) {
  const found = await attempt(() => bring("discover", file, { count: NEAREST }));
  if (shown?.file !== file) return;
  if (!found) { leave(); return; }
  const image = { key: file.name, width: found.width, height: found.height, note: "" };
  image.objects = found.shapes.map(({ object }, place) => ({
    image, place, id: object.id, box: object.box, score: object.score, category: null, rejected: false,
  }));
  close();
  // Not the file itself, which the browser may not be able to show.
  open(main, { image, file, photo: asAddress(found.photo, "image/jpeg"), regions: asAddress(found.regions, "image/png"), near: found.nearest });
  trace(shown.overlay, { canvas: found.canvas, paths: found.shapes.map(({ path }) => path) }, image);
  listObjects();
  choose(found.shapes.length ? 0 : -1);
}

export function close() {
  closeEditor();
  closeNearest();
  if (shown?.drawing) release(shown.drawing);
  if (shown?.file) [shown.photo, shown.regions].filter(Boolean).forEach((each) => URL.revokeObjectURL(each));
  shown = null;
}

// Where nothing else is said, the best object that nobody has rejected.
function placeOf(objects, id) {
  const place = objects.findIndex((object) => object.id === id);
  return place >= 0 ? place : objects.findIndex((object) => !object.out);
}

function open(main, what) {
  shown = { chosen: -1, box: null, ...what };
  main.replaceChildren(el("section", { class: "viewer", "aria-label": shown.image.key }, top(), stage(),
    el("aside", { class: "panel" }, el("ol", { class: "objects" }),
      mayEdit() && button([icon("more"), "Draw what was missed"], () => startEditing(null), { class: "quiet", title: "Key N", ...corrects }),
      nearestPart(shown.file))));
  fillNearest();
  main.querySelector(".round").focus({ preventScroll: true });
}

function top() {
  const { image } = shown;
  shown.before = sign("Before (←)", "back", () => go(-1));
  shown.next = sign("Next (→)", "next", () => go(1));
  shown.told = el("p", { class: "soft", id: "place" });
  return el("header", { class: "line" }, sign("Close", "back", leave),
    el("h2", {}, el("bdi", { title: image.key }, image.key)),
    el("p", { class: "soft" }, [
      image.width > 1 && `${image.width} × ${image.height}`,
      image.note || objectsIn(image.objects.filter(({ out }) => !out).length),
    ].filter(Boolean).join(" · ")),
    el("span", { class: "push" }), layerSwitches(),
    shown.told, shown.before, shown.next);
}

function stage() {
  const { image, regions, drawing, file } = shown;
  const photo = picture("photo", shown.photo), overlay = outlines(image, image.objects);
  shown.overlay = overlay;
  overlay.append(svg("rect", { class: "drawn" }));
  const world = shown.world = el("div", { class: "world" }, photo, regions && picture("regions", regions), overlay);
  const frame = el("div", { class: "frame" }, world);
  const setRatio = (width, height) => frame.style.setProperty("--ratio", width / height);
  setRatio(image.width, image.height);
  if (image.width === 1) photo.addEventListener("load", () => setRatio(photo.naturalWidth, photo.naturalHeight));
  const hint = el("p", { class: "soft hint" },
    run.about.searchable ? "Drag a box over the photo to look for what is in it." : "");
  if (!file) photo.addEventListener("error", () => {
    photo.src = drawing.thumbnail;
    hint.textContent = "The photo is not where it was, or another one by now: this is its preview.";
  }, { once: true });
  listen(frame, world);
  return el("div", { class: "stage-of" }, frame, el("div", { class: "below" }, hint, zoomIn([[frame, world]], { before: shown.view })));
}

function listObjects() {
  const { image, overlay } = shown;
  document.querySelector("ol.objects").replaceChildren(
    ...image.objects.filter(({ out }) => !(out && isGallery)).map(line));
  for (const { place, out } of image.objects) {
    for (const part of overlay.querySelectorAll(`[data-place="${place}"], [data-hole="${place}"]`)) {
      part.classList.toggle("out", Boolean(out));
    }
  }
}

function line(object) {
  const { place, box, score, category, rejected, out, drawn } = object;
  const pick = button("", () => choose(place), { class: "pick", "aria-label": `Object ${place + 1}, score ${score.toFixed(2)}` });
  pick.append(...[el("span", { class: "dot" }), el("span", {}, score.toFixed(2)),
    drawn && el("span", { class: "soft", title: "A person has corrected its mask" }, icon("edit")),
    el("span", { class: "soft box-of", title: "Box: x1 y1 x2 y2" }, box.map(Math.round).join(" "))].filter(Boolean));
  const row = el("li", { class: `c${place % COLOURS}`, data: { place } }, pick,
    category && !(category.special && !run.categories.length)
      && el("a", { class: "chip", href: `#/category/${category.id}` }, category.title),
    mayEdit() && sign(`Edit the mask of object ${place + 1}`, "edit", () => startEditing(place), corrects),
    mayEdit() && sign(
      `${rejected ? "Restore" : "Reject"} object ${place + 1}`, rejected ? "restore" : "reject", () => reject(place), corrects));
  row.classList.toggle("out", Boolean(out));
  return row;
}

// A dropped image, and a run that is only looked at, stay as they are.
const mayEdit = () => !shown.file && !run.about.read_only && !isGallery;

// Without a place a new object is drawn.
function startEditing(place) {
  if (place !== null) choose(place);
  editMask(shown.image, place, shown.world, document.querySelector(".viewer"));
}

const reject = (place) => rejectObjects([shown.image.objects[place].id], !shown.image.objects[place].rejected);

function choose(place) {
  const again = shown.asked === place && !shown.box;
  shown.chosen = place;
  shown.box = null;
  mark();
  if (place < 0) { findNearest(null); return; }
  const object = shown.image.objects[place], title = `Like object ${place + 1}`;
  if (!shown.file) history.replaceState(null, "", addressOf(shown.image, object));
  if (again || isGallery) return;
  shown.asked = place;
  if (shown.near) showNearest(title, shown.near[place]);
  else findNearest({ title, path: "nearest/object", values: { id: object.id } });
}

function mark() {
  const { chosen, overlay, box } = shown;
  for (const element of document.querySelectorAll(".viewer li[data-place], .frame [data-place]")) {
    element.classList.toggle("chosen", Number(element.dataset.place) === chosen);
  }
  const place = shown.file ? -1 : placeInList(), { title, items } = sequence;
  shown.told.textContent = place < 0 ? "" : [title, `${place + 1} of ${items.length}`].filter(Boolean).join(" · ");
  shown.before.disabled = place < 1;
  shown.next.disabled = place < 0 || !items[place + 1];
  const [x, y, right, bottom] = box ?? [0, 0, 0, 0];
  for (const [name, value] of Object.entries({ x, y, width: right - x, height: bottom - y })) {
    overlay.lastChild.setAttribute(name, value);
  }
}

// Boxes are drawn by dragging, objects are chosen by a click.
function listen(frame, world) {
  let start = null;
  const at = (event) => {
    const area = world.getBoundingClientRect(), { width, height } = shown.image;
    const inside = (share, length) => Math.min(1, Math.max(0, share)) * length;
    return [inside((event.clientX - area.left) / area.width, width),
      inside((event.clientY - area.top) / area.height, height)];
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button || isEditing()) return;
    start = { at: at(event), x: event.clientX, y: event.clientY, target: event.target };
    frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    if (isPinching()) start = null;
    if (!start || !run.about.searchable) return;
    start.dragged ||= Math.hypot(event.clientX - start.x, event.clientY - start.y) > DRAG;
    if (!start.dragged) return;
    const end = at(event);
    shown.box = [0, 1].map((axis) => Math.min(start.at[axis], end[axis]))
      .concat([0, 1].map((axis) => Math.max(start.at[axis], end[axis])));
    shown.chosen = -1;
    mark();
  });
  frame.addEventListener("pointerup", () => {
    const { dragged, target } = start ?? {}, object = target?.closest("[data-place]");
    start = null;
    if (dragged) searchBox();
    else if (object) choose(Number(object.dataset.place));
  });
  frame.addEventListener("pointercancel", () => { start = null; });
}

function searchBox() {
  const box = shown.box.map((edge) => edge.toFixed(1)).join(","), title = "Like what is in the box";
  shown.asked = null;
  if (shown.file) findNearest({ title, path: "nearest/image", values: { box } });
  else findNearest({ title, path: "nearest/box", values: { key: shown.image.key, box } });
}

function placeInList() {
  const { image, chosen } = shown, { items } = sequence;
  const place = items.indexOf(image.objects[chosen]?.id);
  return place >= 0 ? place : items.findIndex((id) => id === image.key || run.byId.get(id)?.image.key === image.key);
}

// The entry of the list before or after, if there is one.
function go(step) {
  const entry = !shown.file && placeInList() >= 0 && sequence.items[placeInList() + step];
  if (!entry) return;
  const object = run.byId.get(entry);
  location.replace(addressOf(object?.image ?? { key: entry }, object));
}

export function viewerKey(key, shiftKey) {
  if (!shown) return false;
  const { objects } = shown.image;
  if (zoomKey(key, shiftKey)) return true;
  if (key === "Escape") leave();
  else if (key === "ArrowRight") go(1);
  else if (key === "ArrowLeft") go(-1);
  else if (key === "x" && objects[shown.chosen] && mayEdit()) reject(shown.chosen);
  else if (key === "p" && objects[shown.chosen] && mayEdit()) startEditing(shown.chosen);
  else if (key === "n" && mayEdit()) startEditing(null);
  else if (Number(key) && objects[Number(key) - 1]) choose(Number(key) - 1);
  else return false;
  return true;
}
