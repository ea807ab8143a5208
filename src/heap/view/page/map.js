// The map of all objects: alike ones beside each other, to be looked around in and selected from.

import { emptyNote } from "./categories.js";
import { colour, COLOURINGS, shade } from "./colouring.js";
import { objectKind } from "./correcting.js";
import { button, el, objectsIn, part, select, sign, svg } from "./dom.js";
import { crop, empty, fill } from "./draw.js";
import { filterOf, objectFilter } from "./filters.js";
import { go } from "./looks.js";
import { filterTools } from "./narrowing.js";
import { Plot } from "./plot.js";
import { run } from "./run.js";
import { isSelected, setSelected } from "./selection.js";
import { attempt, readMap } from "./source.js";
import { addressOf, leafThrough } from "./tiles.js";

const PAUSE = 400; // milliseconds between two looks at a map that is being drawn
const FEW = 250; // points in view below which pictures of some are shown
const PICTURES = 60, SIDE = 58, ROOM = 66; // of them at most; pixels of one, and between two
const SETTLED = 120; // milliseconds after the last movement
let open = null; // what is shown: { parts, plot, shown, wanted, pins, timer, asking }
let known = null; // the map: { places: by id, where in x and y; x; y; placed: what `findPlaces` found last }

export function showMap(main, wanted) {
  const canvas = el("canvas", {
    tabindex: 0, role: "application", "aria-roledescription": "map", "aria-label": "Map of all objects", "aria-describedby": "map-hint",
  });
  const outline = svg("path"), peek = el("div", { class: "peek", hidden: true }), pins = el("div", { class: "pins" });
  const parts = {
    canvas, peek, pins, note: el("div", { class: "note" }), count: el("p", { class: "soft", role: "status" }),
    legend: el("aside", { class: "legend", "aria-label": "Colours" }), told: el("p", { class: "said", role: "status" }),
    by: select(Object.entries(COLOURINGS).map(([name, { title }]) => [name, `by ${title}`]), wanted.by ?? "category",
      (by) => go({ by: by === "category" ? "" : by }), { "aria-label": "Colours" }),
    lasso: button("Lasso", () => setTool(open.plot.tool === "lasso" ? "move" : "lasso"), { class: "look", title: "Draw around objects to select them (D, or Shift and a drag)", "aria-pressed": "false", hidden: run.about.read_only }),
    all: button("", selectShown, { class: "quiet", hidden: run.about.read_only, title: "Ctrl+A" }),
  };
  const zoom = el("span", { class: "zoom" }, sign("Smaller (-)", "less", () => open.plot.scaleAt(0.6)),
    sign("Larger (+)", "more", () => open.plot.scaleAt(1.6)), button("Whole", () => open.plot.scaleAt(0), { class: "look", title: "Key 0" }));
  main.append(el("div", { class: "line sticky" }, ...filterTools(wanted), parts.by, parts.lasso, parts.all,
    el("span", { class: "push" }), zoom),
  el("section", { class: "map", "aria-label": "Map" },
    el("div", { class: "ground" }, canvas, pins, svg("svg", { class: "lasso", "aria-hidden": "true" }, outline), peek, parts.note),
    parts.legend),
  el("div", { class: "line" }, parts.count, parts.told),
  el("p", { class: "hidden-hint", id: "map-hint" }, "Arrows go from object to object, Enter opens, Space selects, plus and minus change the scale."));
  const plot = new Plot(canvas, outline, { over, open: enter, lasso, moved });
  open = { parts, plot, shown: [], wanted, drawn: new Map(), timer: 0, asking: false };
  update(wanted);
  return update;
}

export function closeMap() {
  if (!open) return;
  clearTimeout(open.timer);
  open.plot.close();
  for (const stage of open.parts.peek.querySelectorAll(".stage")) empty(stage);
  for (const pin of open.drawn.values()) empty(pin.querySelector(".stage"));
  open = null;
}

function update(wanted) {
  open.wanted = wanted;
  open.parts.by.value = COLOURINGS[wanted.by] ? wanted.by : "category";
  if (!known || !findPlaces().whole) load();
  else show();
}

// Objects of the run that are on the map, and where: sought again when either has changed, and not whenever a filter does.
function findPlaces() {
  if (known.placed?.all !== run.objects) {
    const { x, y, places } = known, all = run.objects;
    const objects = all.filter(({ out, id }) => !out && places.has(id)), at = objects.map(({ id }) => places.get(id));
    known.placed = {
      all, objects, xs: Float64Array.from(at, (place) => x[place] / 65535), ys: Float64Array.from(at, (place) => y[place] / 65535),
      whole: all.every(({ id }) => places.has(id)),
    };
  }
  return known.placed;
}

async function load() {
  const mine = open;
  if (mine.asking) return;
  mine.asking = true;
  for (;;) {
    const now = await attempt(readMap);
    if (open !== mine) return;
    if (!now || now.state === "failed") { tell(emptyNote("There is no map.", now?.reason ?? "")); break; }
    if (now.state === "done") {
      known = { x: now.x, y: now.y, places: new Map(now.id.map((id, place) => [id, place])) };
      break;
    }
    tell(progress(now));
    await new Promise((done) => { setTimeout(done, PAUSE); });
    if (open !== mine) return;
  }
  mine.asking = false;
  if (known) show();
}

const tell = (...content) => open.parts.note.replaceChildren(...content);

function progress({ done, total }) {
  const box = emptyNote("The map is being drawn …", "Alike objects come together. It is kept with the run, and done once.");
  box.append(el("progress", total ? { max: total, value: done, "aria-label": "The map" } : { "aria-label": "The map" }));
  return box;
}

function show() {
  const { plot, parts, wanted } = open, { by } = parts, { objects, xs, ys } = findPlaces(), fits = objectFilter(wanted);
  const { groups, colours } = colour(objects, by.value), dark = getComputedStyle(parts.canvas);
  open.shown = objects;
  plot.dim = pixelOf(dark.getPropertyValue("--soft-rgb"));
  plot.ink = pixelOf(dark.getPropertyValue("--ink-rgb"));
  plot.show({
    xs, ys, colours, fits: Uint8Array.from(objects, fits), chosen: Uint8Array.from(objects, ({ id }) => isSelected(id)),
  });
  const count = plot.fits.reduce((sum, fit) => sum + fit, 0);
  parts.count.textContent = part(count, objects.length, objectsIn);
  parts.all.textContent = `Select ${count === objects.length ? "all" : count.toLocaleString("en")}`;
  parts.legend.replaceChildren(...legend(groups, by.value));
  tell(...objects.length ? [] : [emptyNote("There is nothing on the map.")]);
  leafThrough("Map", objects.filter((_, place) => plot.fits[place]));
}

const pixelOf = (text) => {
  const [red, green, blue] = text.trim().split(/\s+/).map(Number);
  return (blue << 16) | (green << 8) | red;
};

function legend(groups, by) {
  if (by === "score") {
    const ramp = [0, 0.25, 0.5, 0.75, 1].map((share) => `#${shade(share)}`).join(", ");
    const bar = el("div", { class: "ramp" });
    bar.style.background = `linear-gradient(to right, ${ramp})`;
    return [bar, el("p", { class: "soft ends" }, el("span", {}, "score 0"), el("span", {}, "1"))];
  }
  return groups.filter(({ count }) => count).map(({ text, hue, count, filter }) => {
    const now = filterOf(open.wanted), on = filter && Object.entries(filter).every(([name, value]) => now[name] === value);
    const dot = el("span", { class: "dot" });
    dot.style.setProperty("--c", `#${hue}`);
    return button([dot, el("bdi", {}, text), el("span", { class: "soft" }, count.toLocaleString("en"))],
      () => filter && go(on ? Object.fromEntries(Object.keys(filter).map((name) => [name, ""])) : filter),
      { class: "entry", "aria-pressed": String(Boolean(on)), disabled: !filter, title: on ? "Show all again" : "Show only these" });
  });
}

// What is pointed at, with its picture; by keys beside the point.
function over(place) {
  const { plot, parts: { peek, told, canvas } } = open, object = open.shown[place];
  peek.hidden = !object;
  canvas.style.cursor = object ? "pointer" : "";
  if (!object) return;
  const [x, y] = plot.spot(place), name = `${object.image.key}, object ${object.place + 1}`;
  if (peek.dataset.id !== object.id) {
    peek.dataset.id = object.id;
    for (const stage of peek.querySelectorAll(".stage")) empty(stage);
    peek.replaceChildren(cropOf(object), el("bdi", {}, object.category.title),
      el("span", { class: "soft" }, `${object.image.key} · ${object.score.toFixed(2)}`));
  }
  const { clientWidth, clientHeight } = canvas, right = x > clientWidth / 2, low = y > clientHeight / 2;
  Object.assign(peek.style, {
    left: right ? "" : `${x + 16}px`, right: right ? `${clientWidth - x + 16}px` : "",
    top: low ? "" : `${y + 16}px`, bottom: low ? `${clientHeight - y + 16}px` : "",
  });
  if (document.activeElement === canvas) told.textContent = `${name}, ${object.category.title}${isSelected(object.id) ? ", selected" : ""}`;
}

function cropOf(object) {
  const stage = el("span", { class: "stage" });
  crop(stage, object);
  fill(stage, object.image, [object]);
  return el("span", { class: "crop tile" }, stage);
}

function enter(place, event) {
  const object = open.shown[place];
  const selects = event.ctrlKey || event.metaKey || event.shiftKey || open.plot.tool === "lasso";
  if (selects && !run.about.read_only) setSelected(objectKind, [object.id], !isSelected(object.id));
  else location.hash = addressOf(object.image, object);
}

// What is drawn around is selected too; with Alt it is no longer.
function lasso(places, event) {
  if (run.about.read_only) return;
  setSelected(objectKind, places.map((place) => open.shown[place].id), !event.altKey);
}

const selectShown = () => setSelected(objectKind, open.shown.filter((_, place) => open.plot.fits[place]).map(({ id }) => id), true);

function setTool(tool) {
  open.plot.tool = tool;
  open.parts.canvas.dataset.tool = tool;
  open.parts.lasso.setAttribute("aria-pressed", String(tool === "lasso"));
}

// Pictures of some of few points, each beside no other; they move with the points.
function moved() {
  place();
  clearTimeout(open.timer);
  open.timer = setTimeout(choose, SETTLED);
  if (!open.parts.peek.hidden) over(open.plot.under);
}

function place() {
  for (const pin of open.drawn.values()) {
    const [x, y] = open.plot.spot(pin.place);
    pin.style.transform = `translate(${x - SIDE / 2}px, ${y - SIDE / 2}px)`;
  }
}

function choose() {
  const { plot, shown, drawn, parts } = open, inView = plot.inView(), taken = [];
  const few = inView.length <= FEW ? inView : [];
  const wanted = new Map();
  for (const at of few.sort((a, b) => shown[b].score - shown[a].score)) {
    if (wanted.size === PICTURES) break;
    const [x, y] = plot.spot(at);
    if (taken.some(([across, down]) => Math.abs(across - x) < ROOM && Math.abs(down - y) < ROOM)) continue;
    taken.push([x, y]);
    wanted.set(shown[at].id, at);
  }
  for (const [id, pin] of drawn) if (!wanted.has(id)) {
    empty(pin.querySelector(".stage"));
    pin.remove();
    drawn.delete(id);
  }
  for (const [id, at] of wanted) {
    if (!drawn.has(id)) {
      const pin = el("div", { class: "pin" }, cropOf(shown[at]));
      drawn.set(id, pin);
      parts.pins.append(pin);
    }
    const pin = drawn.get(id);
    pin.place = at;
    pin.classList.toggle("chosen", isSelected(id));
    pin.style.setProperty("--c", `#${plot.colours[at].toString(16).padStart(6, "0").replace(/(..)(..)(..)/, "$3$2$1")}`);
  }
  place();
}

// Keys while the map has the focus; whether they mean something.
export function mapKey(event) {
  if (!open || run.about === null) return false;
  const { key, shiftKey, ctrlKey, metaKey, altKey } = event, { plot, shown, parts } = open, all = ctrlKey || metaKey;
  if (all && key.toLowerCase() === "a" && !run.about.read_only) { selectShown(); return true; }
  if (all || altKey) return false;
  if (key.toLowerCase() === "d" && !run.about.read_only) { setTool(plot.tool === "lasso" ? "move" : "lasso"); return true; }
  if (plot.viewKey(key, shiftKey)) return true;
  if (document.activeElement !== parts.canvas) return false;
  const object = shown[plot.under];
  if (/^Arrow/.test(key)) {
    const next = plot.beyond(key);
    if (next >= 0) { plot.follow(next); plot.point(next); }
  } else if (key === "Enter" && object) location.hash = addressOf(object.image, object);
  else if (key === " " && object && !run.about.read_only) {
    setSelected(objectKind, [object.id], !isSelected(object.id));
    over(plot.under);
  } else return false;
  return true;
}

addEventListener("heap:selected", () => {
  if (!open?.shown.length) return;
  const { plot, shown } = open;
  plot.chosen = Uint8Array.from(shown, ({ id }) => isSelected(id));
  plot.draw();
});

addEventListener("heap:theme", () => { if (open?.shown.length) show(); });
