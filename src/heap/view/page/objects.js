// The objects of one category, or those that were rejected, as a grid.

import { emptyNote, meter } from "./categories.js";
import { nameField, rejectCategories } from "./correcting.js";
import { button, corrects, el, icon, objectsIn, part } from "./dom.js";
import { exportCategories } from "./exporting.js";
import { layerSwitches, orderField } from "./looks.js";
import { filterTools } from "./narrowing.js";
import { matching, ORDERS, run } from "./run.js";
import { leafThrough, tiles } from "./tiles.js";

export function showObjects(main, wanted) {
  const head = el("div", { class: "line" }), bed = el("div"), nothing = el("div");
  const order = orderField(ORDERS, wanted.order ?? "similarity");
  main.append(head, el("div", { class: "line sticky" }, ...filterTools(wanted), order,
    el("span", { class: "push" }), layerSwitches()), bed, nothing);
  const board = tiles(bed);

  function update(wanted) {
    const { view, id, order: by = "similarity" } = wanted;
    const group = view === "rejected" ? null : run.groups.get(id);
    const members = group ? group.members : run.objects.filter((object) => object.rejected);
    const shown = matching(members, wanted, by), lost = view !== "rejected" && !group;
    order.value = by;
    if (!head.contains(document.activeElement?.closest("input"))) head.replaceChildren(
      el("a", { class: "round", href: "#/categories", "aria-label": "All categories" }, icon("back")),
      group ? nameField(group) : el("h2", {}, lost ? `Category ${id}` : "Rejected objects"),
      el("p", { class: "soft", role: "status" }, part(shown.length, members.length, objectsIn)),
      ...group && group.coherence !== null ? [meter(group.coherence)] : [], el("span", { class: "push" }),
      ...group && !run.about.read_only ? [el("span", { class: "tools" },
        group.members.length > 0 && !group.rejected
          && button("Export …", () => exportCategories([id]), { class: "quiet" }),
        !group.special && button(group.rejected ? "Restore category" : "Reject category",
          () => rejectCategories([id], !group.rejected), { class: "quiet", ...corrects }))] : []);
    board.title = group?.title ?? "Rejected";
    board.show(lost ? [] : shown);
    nothing.replaceChildren(...lost ? [emptyNote(`There is no category ${id} any more.`)]
      : members.length ? [] : [emptyNote("There is nothing here.")]);
    leafThrough(board.title, board.items);
  }

  update(wanted);
  return update;
}
