// The viewer: one image as large as the window, with what is said of its objects.
const viewer = find("viewer"), pane = find("pane");
let series = null; // what is leafed through: items of card and index, a title, the way back
let current = 0, openCopy = null, picked = [];

function openViewer(chosen, place) {
  series = chosen;
  leaf(place);
}

function leaf(place) {
  const { items, about } = series;
  current = (place + items.length) % items.length;
  const { card, index } = items[current], drawing = hold(card);
  closeCopy();
  openCopy = { card, element: copyOf(card.element, drawing), index };
  pane.replaceChildren(openCopy.element);
  pick(openCopy.element, index);
  find("place").textContent = [about, `${current + 1} of ${items.length}`].filter(Boolean).join(" · ");
  if (!viewer.open) viewer.showModal();
}

// A card without the button that its picture is in the grid.
function copyOf(card, drawing) {
  const copy = card.cloneNode(false), stage = document.createElement("div");
  copy.removeAttribute("style");
  copy.style.setProperty("--ratio", card.dataset.ratio);
  stage.className = "stage";
  drawInto(stage, drawing);
  const texts = [...card.children].filter((part) => !part.matches("button, script"));
  copy.append(stage, ...texts.map((part) => part.cloneNode(true)));
  return copy;
}

function closeCopy() {
  if (openCopy) clearOf(openCopy.element.querySelector(".stage"), openCopy.card);
  openCopy = null;
  pane.replaceChildren();
}

// One object of a card stands out, or none.
function pick(card, index) {
  for (const element of picked) element.classList.remove("picked");
  picked = [];
  const objects = card?.querySelector(".objects");
  const group = objects?.querySelector(`[data-index="${index}"]`);
  if (!group) return;
  picked = [objects, group, card.querySelector(`li[data-index="${index}"]`)];
  for (const element of picked) element.classList.add("picked");
}

// The object whose score the pointer is on; in the viewer, else the one that was opened.
document.addEventListener("mouseover", (event) => {
  const item = event.target.closest(".scores li");
  if (item) pick(item.closest(".card"), item.dataset.index);
  else pick(openCopy?.element, openCopy?.index);
});
find("previous").addEventListener("click", () => leaf(current - 1));
find("next").addEventListener("click", () => leaf(current + 1));
find("close").addEventListener("click", () => viewer.close());
viewer.addEventListener("close", () => {
  closeCopy();
  series.back(current);
});
