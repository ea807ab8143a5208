// All categories, a row of objects for each, or coarser a row for each group of similar ones; to be
// named, merged and rejected.

import { strip } from "./board.js";
import { categoryKind, nameField, rejectCategories, sortNew } from "./correcting.js";
import { button, categoriesIn, corrects, el, objectsIn, part } from "./dom.js";
import { filterOf, objectFilter } from "./filters.js";
import { go, layerSwitches, orderField } from "./looks.js";
import { filterTools } from "./narrowing.js";
import { APART, groupsOf, matching, ORDERS, run, tellGroup, UNSORTED } from "./run.js";
import { setSelected } from "./selection.js";
import { openSorting } from "./sorting.js";
import { isGallery } from "./source.js";
import { tiles } from "./tiles.js";

const LEVELS = { "": "Fine", coarse: "Coarse" };

export function showCategories(main, wanted) {
  const count = el("p", { class: "soft", role: "status" }), tools = el("span", { class: "tools" });
  const grouped = el("div"), flat = el("div"), list = el("div", { class: "strips" }, grouped, flat), link = el("a", { class: "all", href: "#/rejected" });
  const rejected = el("details", { class: "rejected" }, el("summary", {}, "Rejected"), el("p", {}, link));
  const field = orderField(ORDERS, wanted.order ?? "similarity");
  const levels = el("div", { class: "tabs", role: "group", "aria-label": "Level of the categories" });
  main.append(el("div", { class: "line sticky" }, levels, ...filterTools(wanted), field, tools,
    el("span", { class: "push" }), layerSwitches()), count, list, rejected);
  const strips = new Map(); // by the number of the category, or the id of the group
  const sections = new Map(); // of groups, by their ids

  function update(wanted) {
    const { order = "similarity", level = "" } = wanted;
    const { categories, groups, about } = run;
    field.value = order;
    tools.replaceChildren(...about.read_only || !categories.length ? [] : [
      groups.get(UNSORTED).members.length > 0 && button(
        `Sort ${objectsIn(groups.get(UNSORTED).members.length)} more`, sortNew, { class: "strong", ...corrects }),
      button("Sort again …", openSorting, { class: "quiet", ...corrects }),
    ].filter(Boolean));
    if (!categories.length) {
      for (const each of strips.values()) each.remove();
      strips.clear();
      sections.clear();
      levels.hidden = true;
      count.textContent = "";
      list.replaceChildren(invitation());
      return;
    }
    if (!flat.isConnected) list.replaceChildren(grouped, flat);
    const special = [groups.get(APART), groups.get(UNSORTED)].filter(({ members }) => members.length);
    const taken = categories.filter((category) => category.rejected);
    // What was moved elsewhere leaves a category without a name or a member behind.
    const standing = categories.filter(({ rejected, name, members }) => !rejected && (name || members.length));
    const parts = groupsOf(standing), isCoarse = level === "coarse" && parts.length > 1;
    levels.hidden = parts.length < 2;
    levels.replaceChildren(...Object.entries(LEVELS).map(([name, text]) => button(text, () => go({ level: name }),
      { "aria-pressed": String((name === "coarse") === isCoarse) })));
    const isSectioned = parts.length > 1 && !isCoarse;
    showSections(isSectioned ? parts : []);
    for (const group of isSectioned ? parts : []) showStrips(group.categories, sections.get(group.id).bed, wanted, order);
    showStrips([...isSectioned ? [] : isCoarse ? parts : standing, ...special], flat, wanted, order);
    showStrips(taken, rejected, wanted, order);
    const single = run.objects.filter((object) => object.rejected).length;
    rejected.hidden = isGallery || !(taken.length || single);
    link.hidden = !single;
    link.textContent = `${objectsIn(single)}, one by one`;
    const visible = [...strips.values()].filter(({ element }) => list.contains(element) && !element.hidden);
    for (const { element, bed } of sections.values()) element.hidden = [...bed.children].every((child) => child.hidden);
    const objects = visible.flatMap(({ board }) => board.items), shown = new Set(objects.map(({ category }) => category.id));
    const all = run.objects.filter(({ out }) => !out).length, named = standing.filter(({ id }) => shown.has(id));
    count.textContent = `${part(objects.length, all, objectsIn)} in ${
      part(isCoarse ? named.length : visible.filter(({ id }) => id > 0).length, standing.length, categoriesIn)}`;
  }

  // A part of the page for each group, in their order, before what is in no category.
  function showSections(groups) {
    for (const [id, { element, bed }] of sections) if (!groups.some((group) => group.id === id)) {
      showStrips([], bed, {}, "");
      element.remove();
      sections.delete(id);
    }
    for (const group of groups) {
      if (!sections.has(group.id)) {
        const head = el("header", { class: "line" }), bed = el("div");
        sections.set(group.id, { head, bed, element: el("section", { class: "group" }, head, bed) });
      }
      const { element, head } = sections.get(group.id);
      element.setAttribute("aria-label", group.title);
      head.replaceChildren(...headOfGroup(group));
    }
    inOrder(grouped, groups.map(({ id }) => sections.get(id).element));
  }

  function showStrips(groups, place, wanted, order) {
    const narrowed = Object.keys(filterOf(wanted)).length > 0;
    for (const [id, each] of strips) if (each.element.parentNode === place && !groups.some((group) => group.id === id)) {
      each.remove();
      strips.delete(id);
    }
    for (const group of groups) {
      let one = strips.get(group.id);
      if (one && one.element.parentNode !== place) { one.remove(); one = null; }
      if (!one) strips.set(group.id, one = stripOf(group, place));
      const isMixed = group.categories && order === "similarity";
      one.show(group, isMixed ? group.members.filter(objectFilter(wanted)) : matching(group.members, wanted, order), narrowed);
    }
    inOrder(place, groups.map(({ id }) => strips.get(id).element));
  }

  update(wanted);
  return update;
}

// Puts elements in order without touching those that are: what is moved is scrolled back.
function inOrder(place, elements) {
  for (const [at, element] of elements.entries()) {
    if (element.parentNode !== place) place.append(element);
    const before = elements[at - 1];
    if (before && !(before.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING)) before.after(element);
  }
}

function stripOf({ id }, place) {
  const bed = el("div"), row = el("div", { class: "row", tabindex: -1 }, bed), head = el("header", { class: "line" });
  const element = el("section", { class: "strip", data: { category: id } }, head, row);
  place.append(element);
  const board = tiles(bed, strip(148, 8), row);
  return {
    id, element, board,
    remove() { board.close(); element.remove(); },
    show(group, members, narrowed) {
      element.hidden = narrowed && !members.length;
      element.setAttribute("aria-label", group.title);
      // A name that is being written stays.
      if (!head.contains(document.activeElement)) head.replaceChildren(...group.categories ? headOfGroup(group) : headOf(group, members.length));
      board.title = group.title;
      board.show(members);
    },
  };
}

function headOfGroup(group) {
  const ids = group.categories.map(({ id }) => id);
  return [
    el("h2", {}, el("bdi", {}, group.title)),
    el("p", { class: "soft" }, tellGroup(group)),
    !run.about.read_only && button("Select them", () => setSelected(categoryKind, ids, true),
      { class: "link", "aria-label": `Select the categories of ${group.title}` }),
  ].filter(Boolean);
}

function headOf(group, shown) {
  const { id, title, members, coherence, special } = group, { read_only: readOnly } = run.about;
  return [
    !readOnly && !special && !group.rejected && el("label", { class: "choose" }, el("input", {
      type: "checkbox", "aria-label": `Select ${title}`, data: { chooses: id },
      onclick: (event) => setSelected(categoryKind, [id], event.target.checked),
    })),
    nameField(group),
    el("a", { class: "all", href: `#/category/${id}`, "aria-label": `All of ${title}` }, part(shown, members.length, objectsIn)),
    coherence !== null && meter(coherence),
    group.rejected && !readOnly && button("Restore", () => rejectCategories([id], false), { class: "quiet", ...corrects }),
  ].filter(Boolean);
}

export const meter = (coherence) => el("span", {
  class: "coherence", title: "Coherence: mean similarity of the objects to what is typical of them",
}, el("meter", { min: 0, max: 1, value: Math.max(0, coherence), "aria-label": "Coherence" }), coherence.toFixed(2));

export const emptyNote = (...lines) => el("div", { class: "empty" }, lines.map((line) => el("p", {}, line)));

function invitation() {
  if (!run.objects.length) return emptyNote("Nothing was found in this run.", "Its images are under Images.");
  const box = emptyNote("The objects of this run were not sorted yet.",
    run.about.read_only ? "heap categories brings alike objects of all images together."
      : "Alike objects of all images come together; what fits nowhere is kept apart.");
  if (!run.about.read_only) box.append(button("Sort the objects", openSorting, { class: "strong", ...corrects }));
  return box;
}
