// The view of images: lines of cards, as high as makes them fill the width. Only cards near the
// view are in the page.
const GAP = 20, BELOW = 102; // pixels between cards, and of text and space under a picture
const MARGIN = 400; // pixels above and below the view that are drawn too
const SLIM = 0.62, WIDE = 2.6; // ratios of width to height that lines are made for
const grid = find("grid"), narrow = matchMedia("(max-width: 820px)");
const failed = asItems(find("failed").tBodies[0].rows);
const cards = asItems(find("cards").content.children);
const drawnCards = new Map(); // by place
let shownCards = cards, lines = [], laidWidth = 0;

const ordersOfCards = {
  name: () => 0,
  score: (a, b) => b.score - a.score,
  "-score": (a, b) => a.score - b.score,
  objects: (a, b) => b.objects - a.objects,
  "-objects": (a, b) => a.objects - b.objects,
};

// An image, or a row of the table of failures; `text` is what the filter looks at.
function asItems(elements) {
  return Array.from(elements, (element) => {
    const { name, kind, score, objects, ratio } = element.dataset, text = name.toLowerCase();
    return { element, name, kind, text, score: +score, objects: +objects, ratio: +ratio };
  });
}

function updateImages(tab, order, wanted) {
  const items = tab === "failed" ? failed : cards.filter((card) => tab === "all" || card.kind === tab);
  const found = items.filter((item) => wanted.every((word) => item.text.includes(word)));
  for (const row of failed) row.element.hidden = !found.includes(row);
  grid.hidden = tab === "failed";
  find("failed").hidden = tab !== "failed" || !failed.length;
  clearCards();
  shownCards = tab === "failed" ? [] : found.sort(ordersOfCards[order]);
  layCards();
  const noun = items.length === 1 ? "image" : "images";
  return found.length === items.length
    ? `${items.length || "No"} ${noun}` : `${found.length || "None"} of ${items.length} ${noun}`;
}

function countOf(tab) {
  if (tab === "failed") return failed.length;
  return tab === "all" ? cards.length : cards.filter((card) => card.kind === tab).length;
}

// Where each card goes; cards of one line have pictures of one height.
function layCards() {
  const width = (laidWidth = grid.clientWidth), row = narrow.matches ? 150 : 230;
  let from = 0, sum = 0, top = 0;
  lines = [];
  const close = (to, most) => {
    const height = Math.min(most, (width - (to - from - 1) * GAP) / sum);
    lines.push({ from, to, top, height, left: [] });
    top += layLine(lines.at(-1)) + BELOW;
    from = to;
    sum = 0;
  };
  shownCards.forEach((card, place) => {
    const shape = shapeOf(card);
    if (sum && (sum + shape) * row + (place - from) * GAP > width) close(place, 1.6 * row);
    sum += shape;
  });
  if (sum) close(shownCards.length, row);
  grid.style.height = `${top}px`;
  drawSoon(grid, drawCards);
}

function layLine(line) {
  let left = 0, tallest = 0;
  for (const card of shownCards.slice(line.from, line.to)) {
    const width = shapeOf(card) * line.height;
    line.left.push(left);
    left += width + GAP;
    tallest = Math.max(tallest, width / card.ratio);
  }
  return tallest;
}

function shapeOf(card) {
  return Math.min(WIDE, Math.max(SLIM, card.ratio));
}

function drawCards() {
  if (grid.hidden) return;
  const top = scrollY - grid.offsetTop;
  const near = lines.filter((line, at) => {
    const end = lines[at + 1]?.top ?? Infinity;
    return end > top - MARGIN && line.top < top + innerHeight + MARGIN;
  });
  keepOnly(drawnCards, near[0]?.from ?? 0, near.at(-1)?.to ?? 0, addCard, removeCard);
}

function addCard(place) {
  const card = shownCards[place], { element } = card, line = lineOf(place);
  const left = line.left[place - line.from], width = shapeOf(card) * line.height;
  Object.assign(element.style, { top: `${line.top}px`, left: `${left}px`, width: `${width}px` });
  element.style.setProperty("--ratio", card.ratio);
  element.dataset.place = place;
  grid.insertBefore(element, drawnCards.get(place + 1) ?? null);
  drawSoon(element, () => drawInto(element.querySelector(".stage"), hold(card)));
  return element;
}

function removeCard(place, element) {
  element.remove();
  // One that still waits has no picture.
  if (!waiting.delete(element)) clearOf(element.querySelector(".stage"), shownCards[place]);
}

function clearCards() {
  for (const [place, element] of drawnCards) removeCard(place, element);
  drawnCards.clear();
}

function lineOf(place) {
  return lines.find((line) => place < line.to);
}

function openCard(place) {
  const items = shownCards.map((card) => ({ card, index: null }));
  openViewer({ items, about: "", back: focusCard }, place);
}

function focusCard(place) {
  const line = lineOf(place);
  if (!line) return;
  const top = line.top + grid.offsetTop, bottom = top + line.height + BELOW;
  const shown = top >= scrollY + bar.offsetHeight && bottom <= scrollY + innerHeight;
  if (!shown) scrollTo(0, top - Math.max(bar.offsetHeight, (innerHeight - line.height - BELOW) / 2));
  drawCards();
  drawnCards.get(place).querySelector(".stage").focus({ preventScroll: true });
}

// Where an arrow leads from the card that has the focus; to the first in view if none has.
function moveInImages(key) {
  const focused = document.activeElement?.closest(".card");
  if (!focused) {
    const top = scrollY + bar.offsetHeight - grid.offsetTop;
    const first = lines.find((line) => line.top + line.height > top);
    if (key !== "ArrowRight" || !first) return false;
    focusCard(first.from);
    return true;
  }
  const place = +focused.dataset.place, last = shownCards.length - 1;
  const to = {
    ArrowLeft: () => place - 1,
    ArrowRight: () => place + 1,
    ArrowUp: () => inLineBeside(place, -1),
    ArrowDown: () => inLineBeside(place, 1),
    Home: () => 0,
    End: () => last,
  }[key]();
  focusCard(Math.min(last, Math.max(0, to)));
  return true;
}

// The card of the line above or below that begins nearest to this one.
function inLineBeside(place, step) {
  const line = lineOf(place), other = lines[lines.indexOf(line) + step];
  if (!other) return place;
  const away = other.left.map((left) => Math.abs(left - line.left[place - line.from]));
  return other.from + away.indexOf(Math.min(...away));
}

grid.addEventListener("click", (event) => {
  const stage = event.target.closest(".stage");
  if (stage) openCard(+stage.closest(".card").dataset.place);
});
addEventListener("scroll", () => drawSoon(grid, drawCards), { passive: true });
new ResizeObserver(() => {
  if (grid.hidden || grid.clientWidth === laidWidth) return;
  clearCards();
  layCards();
}).observe(grid);
