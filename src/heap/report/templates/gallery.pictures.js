// Pictures are in the page as text, each in its card. They are made when they come into view, and
// forgotten when they leave it.
const BUDGET = 5; // milliseconds of each frame that drawing may take
const held = new Map(); // by card: what is drawn of it, and how many places show it
const waiting = new Map(); // by place: what draws it
let pumping = false;

function hold(card) {
  let drawing = held.get(card);
  if (!drawing) {
    drawing = JSON.parse(card.element.querySelector("script").textContent);
    drawing.photo = asUrl(drawing.photo, "image/jpeg");
    drawing.regions = asUrl(drawing.regions, "image/png");
    drawing.users = 0;
    held.set(card, drawing);
  }
  drawing.users += 1;
  return drawing;
}

function release(card) {
  const drawing = held.get(card);
  drawing.users -= 1;
  if (drawing.users) return;
  held.delete(card);
  URL.revokeObjectURL(drawing.photo);
  URL.revokeObjectURL(drawing.regions);
}

function asUrl(text, type) {
  if (!text) return "";
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type }));
}

// Draws soon, a few places in each frame, so that scrolling never waits.
function drawSoon(place, draw) {
  waiting.set(place, draw);
  if (!pumping) requestAnimationFrame(pump);
  pumping = true;
}

function pump() {
  const end = performance.now() + BUDGET;
  for (const [place, draw] of waiting) {
    waiting.delete(place);
    draw();
    if (performance.now() > end) break;
  }
  pumping = waiting.size > 0;
  if (pumping) requestAnimationFrame(pump);
}

// Makes the elements of the places in a range, and removes the others but the one with the focus.
function keepOnly(elements, from, to, add, remove) {
  for (const [place, element] of elements) {
    if ((place >= from && place < to) || element.contains(document.activeElement)) continue;
    elements.delete(place);
    remove(place, element);
  }
  // Backwards, so that each goes in before the one after it.
  for (let place = to - 1; place >= from; place -= 1) {
    if (!elements.has(place)) elements.set(place, add(place));
  }
}

// Fills an element with the photo, its regions and the outlines of some of its objects.
function drawInto(stage, drawing, shapes = drawing.shapes) {
  const parts = [];
  if (drawing.photo) parts.push(image("photo", drawing.photo));
  parts.push(image("regions", drawing.regions), outlines(drawing.canvas, shapes));
  stage.replaceChildren(...parts);
}

// Undoes it; a picture that was still to be loaded must not look for what is gone.
function clearOf(stage, card) {
  for (const each of stage.querySelectorAll("img")) each.removeAttribute("src");
  stage.replaceChildren();
  release(card);
}

function image(kind, url) {
  const found = document.createElement("img");
  Object.assign(found, { className: kind, alt: "", decoding: "async", draggable: false });
  // A layer that is not shown is not decoded either.
  if (kind === "regions") found.loading = "lazy";
  found.src = url;
  return found;
}

function outlines([width, height], shapes) {
  const found = svg("svg", {
    class: "objects", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  found.append(...shapes.map((shape) => {
    const [x, y, across, down] = shape.frame;
    const group = svg("g", { class: `c${shape.colour}`, "data-index": shape.index });
    const mask = svg("path", { class: "mask", d: shape.path, transform: "translate(.5 .5)" });
    group.append(mask, svg("rect", { class: "box", x, y, width: across, height: down }));
    return group;
  }));
  return found;
}

function svg(tag, attributes) {
  const found = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  return found;
}
