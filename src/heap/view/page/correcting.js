// What a person changes: names, merged and rejected categories, rejected objects.

import { button, categoriesIn, corrects, el, find, objectsIn } from "./dom.js";
import { exportCategories, exportObjects } from "./exporting.js";
import { undoThis } from "./history.js";
import { APART, correct, meant, run } from "./run.js";
import { say } from "./say.js";
import { clear } from "./selection.js";
import { attempt } from "./source.js";

const titleOf = (id) => run.groups.get(id)?.title ?? "";

// Corrects, and says so with a way to take it back.
async function change(path, body, text) {
  const done = await attempt(() => correct(path, body));
  if (done) say(text(), "good", undoThis());
}

export const rejectObjects = (ids, rejected) => change("objects/rejected", { ids, rejected },
  () => `${rejected ? "Rejected" : "Restored"} ${objectsIn(ids.length)}`);

export function rejectCategories(ids, rejected) {
  const names = ids.map((id) => `“${titleOf(id)}”`).join(", ");
  return change("categories/rejected", { ids, rejected },
    () => `${rejected ? "Rejected" : "Restored"} ${names}`);
}

// `category` is a number, or null for a new category that is called `name`.
const move = (ids, category, name = "") => change("objects/category", { ids, category, name },
  () => (category === null ? `${objectsIn(ids.length)} are the new category${name && ` “${name}”`} now`
    : `${objectsIn(ids.length)} moved to “${titleOf(category)}”`));

// Asks where to; typing narrows the categories, and names a new one.
function openMove(ids) {
  const sheet = find("move-sheet"), list = el("div", { class: "formats" });
  const field = el("input", {
    type: "search", placeholder: "Type to find, or to name a new one", maxlength: 120,
    "aria-label": "Category", autocomplete: "off", spellcheck: "false", oninput: narrow,
  });
  const choice = (text, count, category, name) => button(
    [el("bdi", {}, text), el("span", { class: "soft" }, count)],
    () => { sheet.close(); clear(); move(ids, category, name); }, { class: "choice", ...corrects });

  function narrow() {
    const text = field.value.trim(), groups = [...run.groups.values()].filter(({ id, rejected }) => id >= APART && !rejected);
    const { first, last, isNew } = meant(groups, text);
    const choices = (fitting) => fitting.map(({ id, title, members }) => choice(title, objectsIn(members.length), id));
    list.replaceChildren(...choices(first),
      ...isNew ? [choice(text ? `New category “${text}”` : "New category", "", null, text)] : [], ...choices(last));
  }

  narrow();
  const form = el("form", { method: "dialog" }, el("h2", { id: "move-title" }, `Move ${objectsIn(ids.length)} to`),
    field, list, el("div", { class: "buttons" }, button("Cancel", () => sheet.close(), { class: "quiet" })));
  form.addEventListener("submit", (event) => { event.preventDefault(); list.firstElementChild?.click(); });
  sheet.replaceChildren(form);
  sheet.showModal();
}

function merge(ids) {
  const title = titleOf(ids[0]);
  return change("categories/merge", { ids }, () => `${ids.length} categories are one now: “${title}”`);
}

// Does it and lets go of what was selected.
const finish = (work) => (ids) => { clear(); return work(ids); };
const areOut = (ids) => ids.every((id) => run.byId.get(id)?.rejected);

export const objectKind = {
  tell: objectsIn,
  actions: [
    { text: () => "Move …", key: "v", fits: (ids) => !areOut(ids), run: openMove },
    { text: () => "Reject", key: "x", fits: (ids) => !areOut(ids), run: finish((ids) => rejectObjects(ids, true)) },
    { text: () => "Export …", key: "o", fits: (ids) => !areOut(ids), run: exportObjects, isHarmless: true },
    { text: () => "Restore", key: "x", fits: areOut, run: finish((ids) => rejectObjects(ids, false)) },
  ],
};

export const categoryKind = {
  tell: categoriesIn,
  actions: [
    { text: (ids) => `Merge into “${titleOf(ids[0])}”`, fits: (ids) => ids.length > 1, run: finish(merge) },
    { text: () => "Reject", key: "x", run: finish((ids) => rejectCategories(ids, true)) },
    { text: () => "Export …", key: "o", run: exportCategories, isHarmless: true },
  ],
};

// A name that is changed by writing over it.
export function nameField(category) {
  if (run.about.read_only || category.special) return el("h2", {}, el("bdi", {}, category.title));
  const field = el("input", {
    class: "name", value: category.name, placeholder: category.title, maxlength: 120, title: "Write a name",
    "aria-label": `Name of ${category.title}`, spellcheck: "false", autocomplete: "off", ...corrects,
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") field.value = category.name;
    if (event.key === "Enter" || event.key === "Escape") leaveField(field);
  });
  field.addEventListener("change", () => rename(category, field));
  return el("h2", {}, field);
}

// Back to the objects of the category, so that keys go on there.
function leaveField(field) {
  const near = field.closest(".strip, main")?.querySelector(".tile a[tabindex='0']");
  field.blur();
  near?.focus();
}

// The name of the category that has the focus; whether there is one to be changed.
export function focusName() {
  const field = (document.activeElement.closest(".strip") ?? document.querySelector("main > .line"))?.querySelector(".name");
  field?.select();
  return Boolean(field);
}

async function rename({ id, name }, field) {
  const done = await attempt(() => correct(`categories/${id}/name`, { name: field.value }));
  const now = run.groups.get(id)?.name ?? name;
  field.value = now;
  if (done) say(now ? `Category ${id} is “${now}” now` : `Category ${id} has no name now`, "good", undoThis());
}

export const sortNew = () => change("categories/sort", {}, () => "The new objects have a category now");
