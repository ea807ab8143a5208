// The view of categories: a strip of tiles for each. Only tiles near the view are in the page.
const STEP = 160; // pixels from tile to tile, as in the style
const SPARE = 2; // tiles beside those in view
const board = find("strips");
const strips = Array.from(board?.children ?? [], (element) => ({
  element,
  row: element.querySelector(".row"),
  bed: element.querySelector(".tiles"),
  title: element.querySelector("h2").textContent,
  isCategory: element.dataset.id > 0,
  members: [], // most typical first
  shown: [],
  tiles: new Map(), // by place
  near: false,
  left: 0,
  focus: 0, // place of the tile that Tab leads to
}));
const stripOf = new Map(strips.map((strip) => [strip.element, strip]));

const ordersOfTiles = {
  similarity: () => 0,
  score: (a, b) => b.score - a.score,
  "-score": (a, b) => a.score - b.score,
};

// Objects are listed in the cards of their images; the filter finds these by category too.
function collectMembers() {
  const byId = new Map(strips.map((strip) => [strip.element.dataset.id, strip]));
  for (const card of cards) {
    for (const fact of card.element.querySelectorAll("li[data-strip]")) {
      const { strip: id, index, score, similarity } = fact.dataset, strip = byId.get(id);
      const text = `${strip.title} ${card.name}`.toLowerCase();
      const order = +(similarity ?? score);
      strip.members.push({ card, index: +index, text, score: +score, similarity: order });
      if (strip.isCategory) card.text += ` ${strip.title.toLowerCase()}`;
    }
  }
  for (const strip of strips) strip.members.sort((a, b) => b.similarity - a.similarity);
}

function updateStrips(order, wanted) {
  let objects = 0, all = 0, found = 0;
  for (const strip of strips) {
    clearStrip(strip);
    strip.shown = strip.members
      .filter((member) => wanted.every((word) => member.text.includes(word)))
      .sort(ordersOfTiles[order]);
    layStrip(strip);
    objects += strip.shown.length;
    all += strip.members.length;
    found += strip.isCategory && strip.shown.length > 0;
  }
  const categories = strips.filter((strip) => strip.isCategory).length;
  return `${part(objects, all)} objects, ${part(found, categories)} categories`;
}

function part(some, all) {
  return some === all ? `${all}` : `${some || "none"} of ${all}`;
}

function layStrip(strip) {
  const { shown, members, element } = strip, noun = members.length === 1 ? "object" : "objects";
  element.hidden = !shown.length;
  element.querySelector("[data-size]").textContent = `${part(shown.length, members.length)} ${noun}`;
  strip.bed.style.setProperty("--count", shown.length);
  strip.focus = strip.left = strip.row.scrollLeft = 0;
  drawSoon(strip, () => drawStrip(strip));
}

function drawStrip(strip) {
  const first = Math.floor(strip.left / STEP), across = Math.ceil(innerWidth / STEP);
  const from = Math.max(0, first - SPARE);
  const to = strip.near ? Math.min(strip.shown.length, first + across + SPARE) : from;
  keepOnly(strip.tiles, from, to, (place) => addTile(strip, place),
    (place, tile) => removeTile(strip, place, tile));
}

function addTile(strip, place) {
  const { card, index, score } = strip.shown[place];
  const tile = document.createElement("button"), crop = document.createElement("span");
  const label = `${card.name}, object ${index + 1}, score ${score.toFixed(2)}`;
  Object.assign(tile, { type: "button", className: "tile", title: label });
  tile.tabIndex = place === strip.focus ? 0 : -1;
  tile.dataset.place = place;
  tile.style.setProperty("--place", place);
  tile.setAttribute("aria-label", `${place + 1} of ${strip.shown.length}: ${label}`);
  crop.className = "crop";
  tile.append(crop);
  strip.bed.insertBefore(tile, strip.tiles.get(place + 1) ?? null);
  drawSoon(tile, () => drawTile(crop, hold(card), index));
  return tile;
}

// The object with a little around it: the whole image, of which the tile shows a part.
function drawTile(crop, drawing, index) {
  const shape = drawing.shapes.find((each) => each.index === index);
  const [left, top, side] = shape.square, [width, height] = drawing.canvas;
  const share = (length) => `${(100 * length) / side}%`;
  Object.assign(crop.style, {
    left: share(-left), top: share(-top), width: share(width), height: share(height),
  });
  drawInto(crop, drawing, [shape]);
}

function removeTile(strip, place, tile) {
  tile.remove();
  // One that still waits has no picture.
  if (!waiting.delete(tile)) clearOf(tile, strip.shown[place].card);
}

function clearStrip(strip) {
  for (const [place, tile] of strip.tiles) removeTile(strip, place, tile);
  strip.tiles.clear();
}

function openTile(strip, place) {
  openViewer({ items: strip.shown, about: strip.title, back: (at) => focusTile(strip, at) }, place);
}

function focusTile(strip, place) {
  strip.tiles.get(strip.focus)?.setAttribute("tabindex", -1);
  strip.focus = place;
  const left = place * STEP, width = strip.row.clientWidth;
  const seen = left >= strip.row.scrollLeft && left + STEP <= strip.row.scrollLeft + width;
  if (!seen) strip.row.scrollLeft = left - (width - STEP) / 2;
  strip.left = strip.row.scrollLeft;
  // One out of view has no element before this.
  strip.near = true;
  drawStrip(strip);
  strip.tiles.get(place).tabIndex = 0;
  strip.tiles.get(place).focus({ preventScroll: true });
  strip.element.scrollIntoView({ block: "nearest" });
}

// Where an arrow leads from the tile that has the focus; to the first in view if none has.
function moveInStrips(key) {
  const tile = document.activeElement?.closest(".tile");
  const filled = strips.filter((strip) => strip.shown.length);
  if (!tile) {
    const top = bar.offsetHeight;
    const first = filled.find(({ row }) => row.getBoundingClientRect().bottom > top);
    if (key !== "ArrowRight" || !first) return false;
    focusTile(first, 0);
    return true;
  }
  const strip = stripOf.get(tile.closest(".strip")), place = +tile.dataset.place;
  const step = { ArrowUp: -1, ArrowDown: 1 }[key] ?? 0;
  const other = filled[filled.indexOf(strip) + step] ?? strip;
  const to = {
    ArrowLeft: () => place - 1,
    ArrowRight: () => place + 1,
    Home: () => 0,
    End: () => strip.shown.length - 1,
    // The tile that is nearest on the screen.
  }[key]?.() ?? Math.round((place * STEP - strip.left + other.left) / STEP);
  focusTile(other, Math.min(Math.max(0, to), other.shown.length - 1));
  return true;
}

const nearStrips = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    const strip = stripOf.get(target);
    strip.near = isIntersecting;
    drawSoon(strip, () => drawStrip(strip));
  }
}, { rootMargin: "300px 0px" });

collectMembers();
for (const strip of strips) {
  nearStrips.observe(strip.element);
  strip.row.addEventListener("scroll", () => {
    strip.left = strip.row.scrollLeft;
    drawSoon(strip, () => drawStrip(strip));
  }, { passive: true });
}
board?.addEventListener("click", (event) => {
  const tile = event.target.closest(".tile");
  if (tile) openTile(stripOf.get(tile.closest(".strip")), +tile.dataset.place);
});
addEventListener("resize", () => {
  for (const strip of strips) drawSoon(strip, () => drawStrip(strip));
});
