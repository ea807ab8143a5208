// All categories, a row of objects for each, to be named, merged and rejected.

import { strip } from "./board.js";
import { categoryKind, nameField, openSorting, rejectCategories, sortNew } from "./correcting.js";
import { button, categoriesIn, corrects, el, objectsIn, part } from "./dom.js";
import { filterOf } from "./filters.js";
import { layerSwitches, orderField } from "./looks.js";
import { filterTools } from "./narrowing.js";
import { APART, matching, ORDERS, run, UNSORTED } from "./run.js";
import { setSelected } from "./selection.js";
import { isGallery } from "./source.js";
import { tiles } from "./tiles.js";

export function showCategories(main, wanted) {
  const count = el("p", { class: "soft", role: "status" }), tools = el("span", { class: "tools" });
  const list = el("div", { class: "strips" }), link = el("a", { class: "all", href: "#/rejected" });
  const rejected = el("details", { class: "rejected" }, el("summary", {}, "Rejected"), el("p", {}, link));
  const field = orderField(ORDERS, wanted.order ?? "similarity");
  main.append(el("div", { class: "line sticky" }, ...filterTools(wanted), field, tools,
    el("span", { class: "push" }), layerSwitches()), count, list, rejected);
  const strips = new Map(); // by the number of the category

  function update(wanted) {
    const { order = "similarity" } = wanted;
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
      count.textContent = "";
      list.replaceChildren(invitation());
      return;
    }
    list.querySelector(".empty")?.remove();
    const special = [groups.get(APART), groups.get(UNSORTED)].filter(({ members }) => members.length);
    const taken = categories.filter((category) => category.rejected);
    // What was moved elsewhere leaves a category without a name or a member behind.
    const standing = categories.filter(({ rejected, name, members }) => !rejected && (name || members.length));
    showStrips([...standing, ...special], list, wanted, order);
    showStrips(taken, rejected, wanted, order);
    const single = run.objects.filter((object) => object.rejected).length;
    rejected.hidden = isGallery || !(taken.length || single);
    link.hidden = !single;
    link.textContent = `${objectsIn(single)}, one by one`;
    const visible = [...strips.values()].filter(({ element }) => element.parentNode === list && !element.hidden);
    const objects = visible.flatMap(({ board }) => board.items), named = visible.filter(({ id }) => id > 0);
    const all = run.objects.filter(({ out }) => !out).length;
    count.textContent = `${part(objects.length, all, objectsIn)} in ${
      part(named.length, standing.length, categoriesIn)}`;
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
      one.show(group, matching(group.members, wanted, order), narrowed);
    }
  }

  update(wanted);
  return update;
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
      if (!head.contains(document.activeElement)) head.replaceChildren(...headOf(group, members.length));
      board.title = group.title;
      board.show(members);
    },
  };
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
