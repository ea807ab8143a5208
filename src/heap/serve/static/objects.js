// The objects of one category, or those that were rejected.

import { ask, attempt } from "./api.js";
import { nameField, reject } from "./categories.js";
import { button, el, icon, plural, select } from "./dom.js";
import { Endless } from "./endless.js";
import { say } from "./say.js";
import { Selection } from "./selection.js";
import { correct, refresh, state, tellChanged, tellSeen, titleOf } from "./state.js";
import { tile } from "./tiles.js";

const ORDERS = [
  ["similarity", "most typical first"], ["-similarity", "least typical first"],
  ["score", "highest score first"], ["-score", "lowest score first"], ["name", "by name"],
];

// `show(sequence)` hears the list that the viewer leafs through.
export function showCategory(main, id, order = "similarity", show = () => {}) {
  const category = state.categories.find((each) => each.id === id);
  if (!category && id > 0) {
    main.append(el("div", { class: "empty" }, el("p", {}, `There is no category ${id} any more.`),
      el("a", { href: "#/categories" }, "All categories")));
    return;
  }
  const tools = [];
  if (category && !state.run.read_only) {
    tools.push(button(category.rejected ? "Restore category" : "Reject category",
      () => reject([id], !category.rejected), { class: "quiet" }));
  }
  const title = category ? nameField(category) : el("h2", {}, titleOf(id));
  list(main, title, tools, { category: id }, order, `#/category/${id}`, show);
}

export function showRejected(main, order = "score", show = () => {}) {
  list(main, el("h2", {}, "Rejected objects"), [], { rejected: true }, order, "#/rejected", show);
}

function list(main, title, tools, which, order, address, show) {
  const grid = el("div", { class: "tiles" }), count = el("p", { class: "soft" });
  const tellCount = (total) => { count.textContent = plural(total, "object"); };
  const rejected = !which.rejected;
  const selection = state.run.read_only ? null : new Selection((chosen) => plural(chosen, "object"), [{
    text: () => (rejected ? "Reject" : "Restore"), key: "x", run: (ids) => remove(ids),
  }]);
  const pages = new Endless(grid,
    async (offset, limit) => {
      const page = await ask("objects", { ...which, order, offset, limit });
      return { total: page.total, items: page.objects };
    },
    (object) => tile(object, selection), tellCount);

  // The others stay where they are, for a person who is going through many.
  async function remove(ids) {
    if (!await take(ids, rejected)) return;
    const tiles = ids.map((id) => selection.chosen.get(id));
    selection.clear();
    for (const each of tiles) each.remove();
    pages.remove((each) => ids.includes(each.id));
    tellSeen();
  }

  main.append(
    el("div", { class: "line" },
      el("a", { class: "round", href: "#/categories", "aria-label": "All categories" },
        icon("back")),
      title, count,
      el("span", { class: "push" }),
      select(ORDERS, order, (value) => { location.hash = `${address}?order=${value}`; },
        { "aria-label": "Order" }), ...tools),
    grid, pages.end);
  show(pages);
}

// Says that objects are none, or are some after all; whether that is done.
export async function take(ids, rejected) {
  const done = await attempt(async () => {
    await correct("objects/rejected", { ids, rejected });
    await refresh();
    return true;
  });
  if (!done) return false;
  if (rejected) {
    say(`Rejected ${plural(ids.length, "object")}`, "good",
      async () => { if (await take(ids, false)) tellChanged(); });
  } else say(`Restored ${plural(ids.length, "object")}`);
  return true;
}
