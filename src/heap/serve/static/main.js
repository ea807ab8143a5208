// Where the page begins: addresses, keys, dropped images, the theme, and what has changed meanwhile.

import { attempt, Refused } from "./api.js";
import { showCategories } from "./categories.js";
import { el, find, isTyping, plural } from "./dom.js";
import { openExport } from "./exporting.js";
import { showImages } from "./images.js";
import { layerKey } from "./layers.js";
import { showCategory, showRejected } from "./objects.js";
import { say } from "./say.js";
import { forget, selected } from "./selection.js";
import { keep, kept, onRun, refresh, state } from "./state.js";
import { closeViewer, isOpen, leafThrough, openFile, openImage, redraw, viewerKey } from "./viewer.js";

const PAUSE = 4000; // Milliseconds between two looks at the run.
const main = find("main");
let version = null; // Of the run, when the list was made.

// What an address such as #/category/3?order=score means.
function parsed(hash) {
  const [path, query] = (hash.slice(2) || "categories").split("?");
  const [view, id] = path.split("/");
  return { view, id: Number(id), ...Object.fromEntries(new URLSearchParams(query)) };
}

function route() {
  const wanted = parsed(location.hash);
  if (wanted.view === "image") {
    // Behind an image that was opened by its address there is the list of all.
    if (!state.list) {
      state.list = "#/images";
      showList({ view: "images" });
    }
    openImage(wanted.key, wanted.object);
    return;
  }
  const same = state.list === location.hash && isOpen() && version === state.run.version;
  closeViewer();
  if (same) return;
  state.list = location.hash || "#/categories";
  showList(wanted);
}

function showList(wanted) {
  const { view, id, order } = wanted;
  const focused = document.activeElement?.matches?.(".filter");
  forget();
  leafThrough(null);
  main.replaceChildren();
  version = state.seen = state.run.version;
  find("changed").hidden = true;
  const current = ["category", "rejected"].includes(view) ? "categories" : view;
  for (const link of document.querySelectorAll("nav a")) {
    link.toggleAttribute("aria-current", link.dataset.view === current);
  }
  if (view === "images") showImages(main, wanted, leafThrough);
  else if (view === "category") showCategory(main, id, order, leafThrough);
  else if (view === "rejected") showRejected(main, order, leafThrough);
  else showCategories(main);
  if (focused) focusFilter();
  else scrollTo(0, 0);
}

function focusFilter() {
  const field = main.querySelector(".filter");
  if (!field) return;
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

// Behind an open image the list is made again when it is next seen.
async function changed() {
  if (isOpen()) {
    await redraw();
    return;
  }
  const place = scrollY;
  showList(parsed(state.list));
  scrollTo(0, place);
}

// What another process has changed is offered, so that nothing moves under the pointer.
function announce(run) {
  find("name").textContent = document.title = run.name;
  find("facts").textContent = `${plural(run.images, "image")}, ${plural(run.objects, "object")}`;
  find("export").hidden = run.read_only;
  find("find").hidden = !run.searchable;
  const offer = find("changed");
  offer.hidden = version === null || version === run.version;
  offer.textContent = "The run has changed: show it as it is now";
}

async function watch() {
  for (;;) {
    await new Promise((go) => { setTimeout(go, PAUSE); });
    if (document.hidden) continue;
    // One message is enough where heap serve has ended.
    try {
      await refresh();
      document.body.classList.remove("lost");
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (!document.body.classList.contains("lost")) say(error.message, "bad");
      document.body.classList.add("lost");
    }
  }
}

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  find("theme").title = { auto: "As the system", light: "Light", dark: "Dark" }[theme];
  keep("theme", theme);
}

function dropping() {
  const veil = find("drop");
  const isFile = (event) => event.dataTransfer?.types.includes("Files") && state.run?.searchable;
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

function bringFile(file) {
  if (file) openFile(file);
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  if (document.querySelector("dialog[open]")) return;
  if (isOpen() && viewerKey(event)) return;
  const chosen = selected();
  if (event.key === "Escape" && chosen) chosen.clear();
  else if (event.key === "x" && chosen) chosen.act();
  else if (event.key === "c") location.hash = "#/categories";
  else if (event.key === "i") location.hash = "#/images";
  else if (event.key === "f" && state.run?.searchable) find("file").click();
  else if (event.key === "?") find("keys-sheet").showModal();
  else if (event.key === "/") {
    event.preventDefault();
    if (main.querySelector(".filter")) focusFilter();
    else {
      location.hash = "#/images";
      setTimeout(focusFilter);
    }
  } else layerKey(event.key);
}

setTheme(kept("theme", "auto"));
find("theme").addEventListener("click", () => {
  setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
});
find("keys").addEventListener("click", () => find("keys-sheet").showModal());
find("export").addEventListener("click", openExport);
find("changed").addEventListener("click", changed);
addEventListener("hashchange", route);
addEventListener("heap:changed", changed);
addEventListener("heap:seen", () => {
  version = state.seen;
  announce(state.run);
});
addEventListener("keydown", key);
dropping();
onRun(announce);
if (await attempt(async () => { await refresh(); return true; })) route();
else main.append(el("div", { class: "empty" }, el("p", {}, "The run cannot be shown.")));
watch();
