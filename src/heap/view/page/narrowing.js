// The field, the ranges and the choices that narrow lists and map, and filters kept under a name.

import { button, el, keep, kept, objectsIn, select, sign } from "./dom.js";
import { filterOf, MANY, ONLY, objectFilter, RANGES, rangeOf, sameFilter, seen } from "./filters.js";
import { filterField, go } from "./looks.js";
import { run } from "./run.js";
import { ask, attempt, isGallery } from "./source.js";

const BARS = 32, STEPS = 100, PAUSE = 120; // of a histogram; of a slider; milliseconds after it moved
let isOpen = false;

// For the line above a list: what is typed, a button, and the panel that it opens.
export function filterTools(wanted) {
  const panel = el("div", { class: "filters", id: "filters", role: "group", "aria-label": "Filters", hidden: !isOpen });
  const told = el("b", {});
  const toggle = button(["Filters", told], () => {
    isOpen = panel.hidden;
    panel.hidden = !isOpen;
    toggle.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) fillPanel(panel, now());
  }, { class: "quiet narrow", "aria-expanded": String(isOpen), "aria-controls": "filters" });
  const now = () => Object.fromEntries(new URLSearchParams(location.hash.split("?")[1]));
  const dress = () => {
    const count = Object.keys(filterOf({ ...now(), words: "" })).length;
    told.textContent = count || "";
    if (isOpen) fillPanel(panel, now());
  };
  dress();
  panel.dress = dress;
  return [filterField(wanted.words ?? ""), toggle, panel];
}

// After the address or the run has changed.
export function dressFilters() {
  document.getElementById("filters")?.dress();
}

function fillPanel(panel, wanted) {
  // A slider that is being moved stays.
  if (panel.contains(document.activeElement?.closest("input"))) { redressRanges(panel, wanted); return; }
  const all = run.objects.filter(({ out }) => !out);
  const ranges = Object.keys(RANGES).map((name) => rangePart(name, all, wanted));
  const only = Object.entries(ONLY).filter(([name]) => !isGallery || !["copies", "odd"].includes(name));
  const categories = [...run.groups.values()].filter(({ members, rejected }) => members.length && !rejected);
  panel.replaceChildren(...ranges, el("div", { class: "choices" },
    select([["", "in all categories"], ...categories.map(({ id, title }) => [String(id), title])], wanted.category ?? "",
      (category) => go({ category }), { "aria-label": "Only in category" }),
    select([["", "all objects"], ...only], wanted.only ?? "", chooseOnly, { "aria-label": "Only these" }),
    savedPart(wanted)));
}

async function chooseOnly(only) {
  if (["copies", "odd"].includes(only)) await lookThrough();
  go({ only });
}

// Copies and unusual objects are looked for when they are first asked for: that may take a while.
export async function lookThrough() {
  while (!seen.odd && !isGallery) {
    const now = await attempt(() => ask("inspection"));
    if (!now || now.state === "failed") return;
    if (now.state === "done") {
      seen.copies = new Set(now.copies.flat());
      seen.odd = new Set(now.unusual);
    } else await new Promise((done) => { setTimeout(done, 4 * PAUSE); });
  }
}

// A histogram of all objects, with two sliders for what is shown of them.
function rangePart(name, objects, wanted) {
  const { title, of, whole } = RANGES[name], most = RANGES[name].most(run.images), bars = whole ? most : BARS;
  const counts = new Array(bars).fill(0);
  for (const object of objects) counts[placeOf(of(object), most, bars, whole)] += 1;
  const highest = Math.max(1, ...counts);
  const chart = el("div", { class: "bars", "aria-hidden": "true" }, counts.map((count) => {
    const bar = el("span", {});
    // What there is is seen, however little beside the rest.
    bar.style.height = `${count ? Math.max(5, (100 * count) / highest) : 0}%`;
    return bar;
  }));
  const told = el("output", {}), steps = whole ? most : STEPS, first = whole ? 1 : 0;
  const slider = (label, value) => el("input", { type: "range", min: first, max: steps, value, "aria-label": `${label} ${title.toLowerCase()}` });
  const [low, high] = [slider("Least", first), slider("Most", steps)];
  const box = el("div", { class: "range", data: { range: name } }, el("p", {}, el("b", {}, title), told), chart, el("div", { class: "ends" }, low, high));
  let timer = 0;
  const change = (event) => {
    if (Number(low.value) > Number(high.value)) (event.target === low ? high : low).value = event.target.value;
    tellRange(box, name);
    clearTimeout(timer);
    timer = setTimeout(() => go({ [name]: textOf(low, high, name, steps, first) }), PAUSE);
  };
  for (const each of [low, high]) each.addEventListener("input", change);
  setRange(box, name, wanted);
  return box;
}

const placeOf = (value, most, bars, whole) =>
  Math.max(0, Math.min(bars - 1, whole ? value - 1 : Math.floor((value / most) * bars)));

function textOf(low, high, name, steps, first) {
  if (Number(low.value) <= first && Number(high.value) >= steps) return "";
  return [low, high].map(({ value }) => shareOf(name, value, steps)).join("-");
}

// What a place of a slider stands for in the address.
function shareOf(name, value, steps) {
  const { percent, whole } = RANGES[name], share = value / steps;
  return whole ? Number(value) : Number((percent ? share * share : share).toFixed(4));
}

function setRange(box, name, wanted) {
  const { percent, whole } = RANGES[name], ends = rangeOf(wanted[name]);
  const [low, high] = box.querySelectorAll("input");
  [low.min, low.max].forEach((end, at) => {
    const value = !ends ? end : whole ? ends[at] : STEPS * (percent ? Math.sqrt(ends[at]) : ends[at]);
    [low, high][at].value = value;
  });
  tellRange(box, name);
}

function tellRange(box, name) {
  const { percent, whole } = RANGES[name], [low, high] = box.querySelectorAll("input"), bars = box.querySelectorAll(".bars span");
  const show = (input) => {
    const value = shareOf(name, input.value, Number(low.max));
    return whole ? `${value}${value === MANY ? "+" : ""}` : percent ? `${percentOf(value)} %` : value.toFixed(2);
  };
  box.querySelector("output").textContent = `${show(low)} to ${show(high)}`;
  const [from, to] = [low, high].map(({ value }) => Number(value));
  bars.forEach((bar, at) => {
    const [start, end] = whole ? [at + 1, at + 1] : [(at * STEPS) / bars.length, ((at + 1) * STEPS) / bars.length];
    bar.classList.toggle("off", end < from || start > to);
  });
}

const percentOf = (share) => (share < 0.1 ? (100 * share).toFixed(1).replace(".0", "") : Math.round(100 * share));

function redressRanges(panel, wanted) {
  const saved = panel.querySelector(".choices > .line");
  if (!saved.contains(document.activeElement)) saved.replaceWith(savedPart(wanted));
  for (const box of panel.querySelectorAll(".range")) {
    if (!box.contains(document.activeElement)) setRange(box, box.dataset.range, wanted);
  }
}

// Filters that were kept in this browser, for each run by its name.
function savedPart(wanted) {
  const place = `filters-${run.about.name}`, saved = kept(place, []), now = filterOf(wanted);
  const set = (filter) => go({ ...Object.fromEntries(Object.keys(filterOf(wanted)).map((name) => [name, ""])), ...filter });
  const store = (filters) => { keep(place, filters); dressFilters(); };
  const chips = saved.map(({ name, filter }) => el("span", { class: "saved" },
    button(name, () => set(filter), { "aria-pressed": String(sameFilter(filter, now)) }),
    sign(`Forget “${name}”`, "close", () => store(saved.filter((each) => each.name !== name)))));
  const field = el("input", { type: "text", placeholder: "Keep as …", maxlength: 40, "aria-label": "Name of this filter", autocomplete: "off" });
  const form = el("form", { class: "keep" }, field, el("button", { class: "quiet" }, "Keep"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = field.value.trim();
    field.blur();
    if (name) store([...saved.filter((each) => each.name !== name), { name, filter: now }]);
  });
  const narrowed = Object.keys(now).length > 0;
  const fitting = narrowed && run.objects.filter((object) => !object.out && objectFilter(wanted)(object)).length;
  return el("div", { class: "line" }, chips, narrowed && form,
    narrowed && button("Show everything", () => set({}), { class: "link" }),
    narrowed && el("span", { class: "soft", role: "status" }, `${objectsIn(fitting)} fit`));
}
