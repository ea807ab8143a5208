// Where the page begins: addresses, keys, dropped images, and what has changed meanwhile.

import { afterArrow, allBoards, ARROWS, closeBoards, focused } from "./board.js";
import { showCategories } from "./categories.js";
import { focusName } from "./correcting.js";
import { narrowedTo } from "./filters.js";
import { el, find, isTyping, number, objectsIn } from "./dom.js";
import { openExport } from "./exporting.js";
import { openHistory, redo, undo } from "./history.js";
import { showImages } from "./images.js";
import { listen, live } from "./live.js";
import { layerKey, nextTheme } from "./looks.js";
import { closeMap, mapKey, showMap } from "./map.js";
import { editorKey, isEditing } from "./masks.js";
import { dressFilters, lookThrough } from "./narrowing.js";
import { showObjects } from "./objects.js";
import { closeReview, reviewKey, showReview } from "./review.js";
import { isCorrecting, refresh, run } from "./run.js";
import { act, clear, keepOnly, selectedIds } from "./selection.js";
import { attempt, hasMap, isGallery } from "./source.js";
import { leafThrough, tileKey } from "./tiles.js";
import { close, entryShown, leave, rememberList, showFile, showImage, viewerKey } from "./viewer.js";

const VIEWS = {
  categories: showCategories, category: showObjects, rejected: showObjects, images: showImages,
  image: showImage, file: showFile, map: showMap, review: showReview,
};
const PLACES = { c: "categories-link", i: "images-link", g: "map-link", e: "review" };
const main = find("main"), places = new Map(); // how far each list was scrolled, by its address
let shown = null; // the view: its name, its address, and what updates it
let isLooked = false; // copies and unusual objects were looked for
let file = null; // an image that somebody has brought

// What an address such as #/category/3?order=score means.
function parsed(hash) {
  const [path, query] = (hash.slice(2) || (run.categories.length ? "categories" : "images")).split("?");
  const [view, id] = path.split("/");
  const known = view in VIEWS && !(view === "review" && run.about.read_only) && (view !== "map" || hasMap());
  const wanted = { view: known ? view : "categories", id: Number(id) };
  return { ...Object.fromEntries(new URLSearchParams(query)), ...wanted };
}

function route() {
  const wanted = { ...parsed(location.hash), file }, { view } = wanted;
  if (view === "file" && !file) { leave(); return; }
  // Behind an image that was opened by its address there are all images.
  if (!shown && view === "image") leafThrough("", run.images);
  const name = ["category", "review"].includes(view) ? `${view}/${wanted.id}` : view;
  if (shown?.name === name && view !== "file") {
    shown.address = location.hash;
    shown.update(wanted);
  } else open(name, view, wanted);
  if (["image", "file"].includes(view)) return;
  rememberList(location.hash);
  dressFilters();
  // A filter goes along to the other views.
  for (const link of document.querySelectorAll("nav a")) link.href = narrowedTo(link.dataset.view, wanted);
  if (["copies", "odd"].includes(wanted.only)) lookThrough().then(() => { if (!isLooked) { isLooked = true; route(); } });
}

function open(name, view, wanted) {
  if (shown) places.set(shown.address, scrollY);
  const left = ["image", "file"].includes(shown?.name) ? entryShown() : null;
  clear();
  close();
  closeReview();
  closeMap();
  closeBoards();
  main.replaceChildren();
  document.body.dataset.view = view;
  const part = { category: "categories", rejected: "categories", image: "images" }[view] ?? view;
  for (const link of document.querySelectorAll("nav a")) {
    link.toggleAttribute("aria-current", link.dataset.view === part);
  }
  shown = { name, address: location.hash };
  shown.update = VIEWS[view](main, wanted);
  scrollTo(0, left === null ? 0 : places.get(location.hash) ?? 0);
  if (left) focusEntry(left);
}

// Back to what was left: the image, or the object, that was open.
function focusEntry(id) {
  const board = allBoards().find((each) => each.places.has(id));
  if (board) board.focus(board.places.get(id));
}

// After a correction; behind an open image a list is made anew when it is next seen.
function update() {
  announce();
  keepOnly((id) => run.byId.has(id) || run.groups.has(id));
  shown.update({ ...parsed(location.hash), file });
  dressFilters();
}

function announce() {
  const { about } = run, { name, read_only: readOnly, searchable, encoder, sample_of: sampleOf } = about;
  find("name").textContent = document.title = name;
  find("all-runs").hidden = !about.is_one_of_several;
  if (about.is_one_of_several) find("all-runs").href = "../../";
  const sample = sampleOf && `a sample of ${number(sampleOf, "image")}: heap serve shows all`;
  const objects = run.images.reduce((sum, { kept }) => sum + kept.length, 0);
  find("facts").textContent = [number(run.images.length, "image"), objectsIn(objects), encoder, sample].filter(Boolean).join(" · ");
  for (const id of ["export", "undo", "history", "review"]) find(id).hidden = readOnly;
  find("find").hidden = !searchable;
  find("map-link").hidden = !hasMap();
  offer();
}

// What another process or page has changed is offered, so that nothing moves under the pointer.
// Versions of tables only rise: an event of before a correction of this page is no news.
function offer() {
  const seen = run.seen.split("-").map(Number), now = live.version?.split("-").map(Number) ?? [];
  find("changed").hidden = isCorrecting() || !now.some((version, table) => version > seen[table]);
}

function dropping() {
  const veil = find("drop");
  const isFile = (event) => event.dataTransfer?.types.includes("Files") && run.about?.searchable;
  addEventListener("dragenter", (event) => { if (isFile(event)) veil.hidden = false; });
  addEventListener("dragover", (event) => { if (isFile(event)) event.preventDefault(); });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) veil.hidden = true; });
  addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!isFile(event)) return;
    event.preventDefault();
    bringFile(event.dataTransfer.files[0]);
  });
  find("find").addEventListener("click", () => find("file").click());
  find("file").addEventListener("change", (event) => {
    bringFile(event.target.files[0]);
    event.target.value = "";
  });
}

function bringFile(brought) {
  if (!brought) return;
  file = brought;
  if (location.hash === "#/file") route();
  else location.hash = "#/file";
}

function focusFilter() {
  if (!main.querySelector(".filter")) open("images", "images", parsed(location.hash = "#/images"));
  main.querySelector(".filter").select();
}

function key(event) {
  if (isTyping(event) || document.querySelector("dialog[open]") || !shown) return;
  // While a mask is edited all keys are for it, but the one that tells which there are.
  if (isEditing() && event.key !== "?") {
    if (editorKey(event)) event.preventDefault();
  } else if (isTravel(event) || mapKey(event)) event.preventDefault();
  else if (focused() && tileKey(event, focused())) event.preventDefault();
  else if (!(event.ctrlKey || event.metaKey || event.altKey) && means(event)) event.preventDefault();
}

// Ctrl+Z takes back, Ctrl+Shift+Z and Ctrl+Y make again.
function isTravel({ key: pressed, ctrlKey, metaKey, shiftKey, altKey }) {
  const letter = pressed.toLowerCase();
  if (!(ctrlKey || metaKey) || altKey || !"zy".includes(letter) || run.about.read_only) return false;
  if (letter === "y" || shiftKey) redo();
  else undo();
  return true;
}

// Whether a key means something here.
function means({ key: pressed, shiftKey, target }) {
  const letter = pressed.toLowerCase();
  if (selectedIds().length && letter === "escape") clear();
  else if (act(letter) || reviewKey(pressed, target)) return true;
  else if (letter === "?") find("keys-sheet").showModal();
  else if (letter in PLACES && !find(PLACES[letter]).hidden) find(PLACES[letter]).click();
  else if (letter === "f" && run.about.searchable) find("file").click();
  else if (letter === "o" && !run.about.read_only) openExport();
  else if (letter === "t" && focusName()) return true;
  else if (letter === "/") focusFilter();
  else if (layerKey(letter) || viewerKey(pressed, shiftKey)) return true;
  else if (ARROWS.test(pressed) && !target.closest?.("input, select")) return arrow(pressed, shiftKey);
  else return false;
  return true;
}

function arrow(pressed) {
  const place = afterArrow(pressed);
  if (place) place[0].focus(place[1]);
  return Boolean(place);
}

find("theme").addEventListener("click", nextTheme);
find("keys").addEventListener("click", () => find("keys-sheet").showModal());
find("export").addEventListener("click", () => openExport());
find("undo").addEventListener("click", () => undo());
find("history").addEventListener("click", openHistory);
find("changed").addEventListener("click", async () => { if (await attempt(refreshed)) update(); });
addEventListener("hashchange", route);
addEventListener("heap:changed", update);
addEventListener("keydown", key);
history.scrollRestoration = "manual";

async function refreshed() {
  await refresh();
  return true;
}

if (await attempt(refreshed)) {
  announce();
  route();
  if (!isGallery) {
    dropping();
    addEventListener("heap:live", offer);
    listen();
  }
} else main.append(el("div", { class: "empty" }, el("p", {}, "The run cannot be shown.")));
