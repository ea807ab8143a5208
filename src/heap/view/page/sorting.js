// The sheet in which categories are made: a slider for fewer or more, what each number of them would
// be like, and what it would change. Nothing is changed until it is accepted.

import { button, categoriesIn, corrects, el, find, number, objectsIn } from "./dom.js";
import { crop, empty, fill } from "./draw.js";
import { undoThis } from "./history.js";
import { correct, groupsOf, run } from "./run.js";
import { say } from "./say.js";
import { ask, attempt } from "./source.js";

const LEAST = 2, MOST = 256, PLACES = 60; // categories that the slider goes to, and its places
const SHOWN = 7; // objects of a category that are shown
const PAUSE = 60; // milliseconds after the slider has moved

export function openSorting() {
  const sheet = find("sort-sheet"), again = run.categories.length > 0, all = run.objects.filter(({ out }) => !out).length;
  const stops = stopsFor(all), told = el("p", { role: "status" });
  const list = el("div", { class: "proposal", tabindex: 0, role: "region", "aria-label": "Categories that would be made" });
  const slider = el("input", {
    type: "range", min: 0, max: stops.length - 1, "aria-label": "Fewer or more categories",
    oninput: () => choose(stops[slider.value], slider),
  });
  const field = el("input", {
    type: "number", min: 1, max: 1000, "aria-label": "Number of categories",
    oninput: () => { if (field.value && field.checkValidity()) choose(Number(field.value), field); },
  });
  const best = button("As many as fit best", () => choose("auto"), { class: "quiet" });
  const start = el("button", { class: "strong", ...corrects }), problem = el("p", { class: "bad", role: "alert" });
  const pictures = lazily(list);
  let wanted = null, timer = 0, asked = null;

  // `moved` is the slider or the field, if one of them says so.
  function choose(count, moved = null) {
    wanted = count;
    clearTimeout(timer);
    asked?.abort();
    best.setAttribute("aria-pressed", String(count === "auto"));
    start.disabled = false;
    start.textContent = `${again ? "Make" : "Sort into"} ${count === "auto" ? "as many as fit best" : categoriesIn(count)}`;
    if (count !== "auto") place(count, moved);
    list.setAttribute("aria-busy", "true");
    if (!list.children.length) told.textContent = "Comparing all objects …";
    timer = setTimeout(() => look(count), PAUSE);
  }

  function place(count, moved = null) {
    const nearest = stops.reduce((at, stop, other) => (Math.abs(stop - count) < Math.abs(stops[at] - count) ? other : at), 0);
    if (moved !== slider) slider.value = nearest;
    if (moved !== field) field.value = count;
    slider.setAttribute("aria-valuetext", categoriesIn(count));
  }

  async function look(count) {
    asked = new AbortController();
    const { signal } = asked;
    problem.textContent = "";
    const proposed = await attempt(() => ask("categories/preview", count === "auto" ? {} : { count }, { signal }),
      (reason) => { problem.textContent = reason; });
    if (signal.aborted) return;
    list.removeAttribute("aria-busy");
    start.disabled = !proposed;
    if (!proposed) return;
    const { categories } = proposed;
    if (count === "auto") place(categories.length);
    start.textContent = `${again ? "Make" : "Sort into"} these ${categoriesIn(categories.length)}`;
    told.textContent = tellChange(proposed, again);
    pictures.forget();
    list.replaceChildren(...partsOf(categories, pictures));
    list.scrollTop = 0;
  }

  const form = el("form", { method: "dialog" },
    el("h2", { id: "sort-title" }, "Sort the objects into categories"),
    el("div", { class: "amount" }, el("span", { class: "soft", "aria-hidden": "true" }, "Fewer"), slider,
      el("span", { class: "soft", "aria-hidden": "true" }, "More"), field, best),
    told, list, problem,
    el("div", { class: "buttons" }, button("Cancel", () => sheet.close(), { class: "quiet" }), start));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    start.disabled = true;
    const done = await attempt(() => correct("categories/sort", { count: wanted, again }), (reason) => { problem.textContent = reason; });
    start.disabled = false;
    if (!done) return;
    sheet.close();
    say(`${number(done.categories.length, "category was", "categories were")} made`, "good", undoThis());
  });
  sheet.addEventListener("close", () => { clearTimeout(timer); asked?.abort(); pictures.close(); sheet.replaceChildren(); }, { once: true });
  sheet.replaceChildren(form);
  sheet.showModal();
  slider.focus();
  choose("auto");
}

// Numbers of categories that the slider stops at, each about a tenth more than the one before.
function stopsFor(objects) {
  const most = Math.max(LEAST + 1, Math.min(MOST, Math.floor(objects / 2)));
  return [...new Set(Array.from({ length: PLACES + 1 }, (_, at) => Math.round(LEAST * (most / LEAST) ** (at / PLACES))))];
}

function tellChange({ categories, apart, moved, lost }, again) {
  const sizes = categories.map(({ size }) => size), named = categories.filter(({ name }) => name).length;
  return [
    `${categoriesIn(categories.length)} of ${Math.min(...sizes)} to ${objectsIn(Math.max(...sizes))}`,
    apart && `${objectsIn(apart)} ${apart === 1 ? "fits" : "fit"} in none`,
    again && `${moved ? objectsIn(moved) : "no object"} would leave ${moved > 1 ? "their" : "its"} category`,
    named && `${number(named, "name stays", "names stay")}`,
    lost.length && `gone would be ${lost.map((name) => `“${name}”`).join(", ")}`,
  ].filter(Boolean).join("; ");
}

function partsOf(categories, pictures) {
  const groups = groupsOf(categories.map((category) => ({ ...category, members: category.typical.map((id) => run.byId.get(id)).filter(Boolean) })));
  return groups.map((group) => el("section", {},
    groups.length > 1 && el("h3", {}, el("bdi", {}, group.title), el("span", { class: "soft" }, categoriesIn(group.categories.length))),
    group.categories.map(({ name, title, size, members }) => el("div", { class: "proposed" },
      el("p", {}, el("bdi", { class: name ? null : "soft" }, title), el("span", { class: "soft" }, objectsIn(size))),
      el("div", { class: "crops", "aria-hidden": "true" }, members.slice(0, SHOWN).map((object) => pictures.of(object)))))));
}

// Pictures of objects, each when it comes into view in `list`.
function lazily(list) {
  const objects = new Map(), watch = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) {
      watch.unobserve(target);
      const object = objects.get(target), stage = target.firstChild;
      crop(stage, object);
      fill(stage, object.image, []);
    }
  }, { root: list, rootMargin: "200px" });
  const forget = () => {
    for (const [each] of objects) { watch.unobserve(each); empty(each.firstChild); }
    objects.clear();
  };
  return {
    of(object) {
      const box = el("span", { class: "crop" }, el("span", { class: "stage" }));
      objects.set(box, object);
      watch.observe(box);
      return box;
    },
    forget, close() { forget(); watch.disconnect(); },
  };
}
