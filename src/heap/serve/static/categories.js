// All categories: what is typical of each, to be named, merged and rejected.

import { attempt } from "./api.js";
import { button, el, find, number, plural } from "./dom.js";
import { say } from "./say.js";
import { Selection } from "./selection.js";
import { correct, refresh, state, tellChanged, tellSeen, titleOf } from "./state.js";
import { tileSource } from "./tiles.js";

const SHOWN = 5; // One large and four small.
const FEW = 2; // Two large ones.

export function showCategories(main) {
  const { run, categories } = state;
  if (!run.objects) {
    main.append(empty("Nothing was found in this run.", "Its images are under Images."));
    return;
  }
  if (!categories.length) {
    main.append(invitation());
    return;
  }
  const kept = categories.filter((each) => !each.rejected);
  const rejected = categories.filter((each) => each.rejected);
  const selection = run.read_only ? null : new Selection(
    (count) => number(count, "category", "categories"), actions(() => selection));
  main.append(
    header(),
    el("div", { class: "cards" }, ...kept.map((each) => card(each, selection)), ...others(run)),
  );
  if (rejected.length) main.append(el("details", { class: "rejected" },
    el("summary", {}, `Rejected: ${number(rejected.length, "category", "categories")}`),
    el("div", { class: "cards" }, ...rejected.map((each) => card(each, null)))));
}

export const empty = (...lines) => el("div", { class: "empty" },
  ...lines.map((line) => el("p", {}, line)));

function invitation() {
  const box = empty("The objects of this run were not sorted yet.",
    "Alike objects of all images come together; what fits nowhere is kept apart.");
  if (!state.run.read_only) box.append(button("Sort the objects", openSorting, { class: "strong" }));
  return box;
}

function header() {
  const { run, categories } = state;
  const line = el("div", { class: "line" },
    el("p", { class: "soft" }, `${plural(run.objects, "object")} in ${
      number(categories.length, "category", "categories")}`));
  if (run.read_only) return line;
  if (run.unsorted) line.append(button(`Sort ${plural(run.unsorted, "new object")}`, sortNew,
    { class: "strong" }));
  line.append(button("Make again …", openSorting, { class: "quiet" }));
  return line;
}

// What belongs to no category, and what a person has taken out.
function others(run) {
  return [[0, run.apart], [-1, run.unsorted]].filter(([, count]) => count)
    .map(([id, count]) => el("a", { class: "card other", href: `#/category/${id}` },
      el("h2", {}, titleOf(id)), el("p", { class: "soft" }, plural(count, "object"))))
    .concat(run.rejected ? el("a", { class: "card other", href: "#/rejected" },
      el("h2", {}, "Rejected"), el("p", { class: "soft" }, plural(run.rejected, "object"))) : []);
}

function card(category, selection) {
  const { id, title, size, coherence, typical } = category, few = typical.length < SHOWN;
  const shown = el("article", { class: "card", data: { category: id } },
    el("a", {
      class: `sheet-of ${few ? "few" : ""}`, href: `#/category/${id}`, "aria-label": `Open ${title}`,
    }, ...typical.slice(0, few ? FEW : SHOWN).map((each) => el("img", {
      src: tileSource(each, 320), width: 160, height: 160, alt: "", loading: "lazy",
      decoding: "async",
    }))),
    nameField(category),
    el("p", { class: "soft" }, plural(size, "object"), coherence !== null && meter(coherence)));
  if (selection) shown.append(selection.box(id, shown, title));
  if (category.rejected && !state.run.read_only) {
    shown.append(button("Restore", () => reject([id], false), { class: "quiet" }));
  }
  return shown;
}

function meter(coherence) {
  return el("span", { class: "coherence", title: "Mean similarity to what is typical" },
    el("meter", { min: 0, max: 1, value: Math.max(0, coherence) }), coherence.toFixed(2));
}

// A name that is changed by writing over it.
export function nameField(category) {
  if (state.run.read_only) return el("h2", {}, el("bdi", {}, category.title));
  const field = el("input", {
    class: "name", value: category.name, placeholder: category.title, maxlength: 120,
    "aria-label": `Name of ${category.title}`, spellcheck: "false", autocomplete: "off",
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") field.blur();
    if (event.key === "Escape") { field.value = category.name; field.blur(); }
  });
  field.addEventListener("change", async () => {
    const done = await attempt(() => correct(`categories/${category.id}/name`, { name: field.value }));
    if (!done) { field.value = category.name; return; }
    category.name = field.value = done.categories.find((each) => each.id === category.id).name;
    say(category.name ? `Category ${category.id} is “${category.name}” now`
      : `Category ${category.id} has no name now`);
    await attempt(refresh);
    tellSeen();
  });
  return el("h2", {}, field);
}

const actions = (selection) => [
  {
    text: (ids) => `Merge into “${titleOf(ids[0])}”`,
    fits: (ids) => ids.length > 1,
    run: (ids) => merge(ids),
  },
  { text: () => "Reject", key: "x", run: (ids) => { selection().clear(); reject(ids, true); } },
];

async function merge(ids) {
  const title = titleOf(ids[0]);
  if (!await attempt(() => correct("categories/merge", { ids }))) return;
  say(`${ids.length} categories are one now: “${title}”`);
  await changed();
}

export async function reject(ids, rejected) {
  if (!await attempt(() => correct("categories/rejected", { ids, rejected }))) return;
  const names = ids.map((id) => `“${titleOf(id)}”`).join(", ");
  if (rejected) say(`Rejected ${names}`, "good", () => reject(ids, false));
  else say(`Restored ${names}`);
  await changed();
}

async function changed() {
  await attempt(refresh);
  tellChanged();
}

async function sortNew() {
  if (!await attempt(() => correct("categories/sort", {}))) return;
  say("The new objects have a category now");
  await changed();
}

function openSorting() {
  const sheet = find("sort-sheet"), again = state.categories.length > 0;
  const auto = el("input", { type: "checkbox", checked: true });
  const count = el("input", {
    type: "number", min: 2, max: 1000, value: Math.max(2, state.categories.length || 8), disabled: true,
    "aria-label": "Number of categories",
  });
  auto.addEventListener("change", () => { count.disabled = auto.checked; });
  const go = el("button", { class: "strong" }, again ? "Make them again" : "Sort");
  const form = el("form", { method: "dialog" },
    el("h2", { id: "sort-title" }, "Sort the objects into categories"),
    el("p", { class: "soft" }, again
      ? "A category that shares its members with one of before keeps its number and name."
      : "It takes a moment where there are many objects."),
    el("label", { class: "row" }, auto, "as many as fit best"),
    el("label", { class: "row" }, count, "categories"),
    el("div", { class: "buttons" }, button("Cancel", () => sheet.close(), { class: "quiet" }), go));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sortAll(go, auto.checked ? "auto" : Number(count.value), again);
  });
  sheet.replaceChildren(form);
  sheet.showModal();
}

async function sortAll(go, count, again) {
  go.disabled = true;
  const done = await attempt(() => correct("categories/sort", { count, again }));
  go.disabled = false;
  if (!done) return;
  find("sort-sheet").close();
  say(`${number(done.categories.length, "category was", "categories were")} made`);
  await changed();
}
