"use strict";
const find = (id) => document.getElementById(id);
const bar = find("bar"), grid = find("grid"), viewer = find("viewer"), pane = find("pane");
const cards = [...grid.children], failed = [...find("failed").tBodies[0].rows];
let shown = cards, current = 0, picked = [];

const orders = {
  name: () => 0,
  score: (a, b) => b.dataset.score - a.dataset.score,
  "-score": (a, b) => a.dataset.score - b.dataset.score,
  objects: (a, b) => b.dataset.objects - a.dataset.objects,
  "-objects": (a, b) => a.dataset.objects - b.dataset.objects,
};

// Failures are rows of a table, all else are cards.
function matching(items, tab, words) {
  return items.filter((item) => {
    const fits = tab === "all" || tab === "failed" || item.dataset.kind === tab;
    const name = item.dataset.name.toLowerCase();
    item.hidden = !(fits && words.every((word) => name.includes(word)));
    return !item.hidden;
  });
}

function update() {
  const tab = bar.tab.value, words = bar.filter.value.toLowerCase().split(/\s+/);
  const list = tab === "failed" ? failed : cards;
  grid.hidden = tab === "failed";
  find("failed").hidden = tab !== "failed" || !failed.length;
  const found = matching(list, tab, words);
  shown = tab === "failed" ? [] : found;
  const total = count(tab), noun = total === 1 ? "image" : "images";
  find("status").textContent = found.length === total
    ? `${total || "No"} ${noun}` : `${found.length || "None"} of ${total} ${noun}`;
}

function sort() {
  // Sorting is stable, and `cards` keeps the order of names.
  shown = [];
  grid.append(...[...cards].sort(orders[bar.sort.value]));
  update();
  const order = new Map([...grid.children].map((card, place) => [card, place]));
  shown.sort((a, b) => order.get(a) - order.get(b));
}

function layers() {
  for (const name of ["masks", "boxes", "regions"]) {
    document.body.classList.toggle(`no-${name}`, !bar[name].checked);
  }
}

function count(tab) {
  if (tab === "failed") return failed.length;
  return tab === "all" ? cards.length : cards.filter((card) => card.dataset.kind === tab).length;
}

// The object whose score the pointer is on stands out.
function pick(event) {
  const item = event.target.closest(".scores li"), card = item?.closest(".card");
  for (const part of picked) part.classList.remove("picked");
  picked = [];
  if (!item) return;
  const objects = card.querySelector(".objects");
  const place = [...item.parentNode.children].indexOf(item);
  picked = [objects, objects.children[place]];
  for (const part of picked) part.classList.add("picked");
}

function open(place) {
  current = (place + shown.length) % shown.length;
  const copy = shown[current].cloneNode(true);
  copy.querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
  copy.querySelector(".stage").replaceWith(asFigure(copy.querySelector(".stage")));
  pane.replaceChildren(copy);
  find("place").textContent = `${current + 1} of ${shown.length}`;
  if (!viewer.open) viewer.showModal();
}

// In the viewer the picture is no button any more.
function asFigure(stage) {
  const figure = document.createElement("div");
  figure.className = "stage";
  figure.append(...stage.childNodes);
  return figure;
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("[type=search], select")) return;
  const layer = { m: "masks", b: "boxes", r: "regions" }[event.key.toLowerCase()];
  if (layer) {
    bar[layer].checked = !bar[layer].checked;
    layers();
  } else if (viewer.open && event.key === "ArrowRight") {
    open(current + 1);
  } else if (viewer.open && event.key === "ArrowLeft") {
    open(current - 1);
  }
}

bar.addEventListener("submit", (event) => event.preventDefault());
bar.addEventListener("change", () => { layers(); sort(); });
bar.filter.addEventListener("input", sort);
grid.addEventListener("click", (event) => {
  const stage = event.target.closest(".stage");
  if (stage) open(shown.indexOf(stage.closest(".card")));
});
document.addEventListener("mouseover", pick);
find("previous").addEventListener("click", () => open(current - 1));
find("next").addEventListener("click", () => open(current + 1));
find("close").addEventListener("click", () => viewer.close());
viewer.addEventListener("close", () => {
  pane.replaceChildren();
  shown[current]?.querySelector(".stage").focus();
});
document.addEventListener("keydown", key);

for (const card of cards) card.style.setProperty("--ratio", card.dataset.ratio);
for (const label of document.querySelectorAll("[data-count]")) {
  label.textContent = count(label.dataset.count);
}
layers();
sort();
