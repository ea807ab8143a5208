// Review: one object after the other, large, the least sure first; a key decides about each.

import { button, corrects, el, objectsIn, select, timeLeft } from "./dom.js";
import { hold, outlines, picture, release, trace } from "./draw.js";
import { layerSwitches } from "./looks.js";
import { correct, meant, run, UNSORTED } from "./run.js";
import { attempt, photoOf } from "./source.js";

const AROUND = 0.6; // of the box, on each side: what is shown of the photo around an object
const BREAK = 60000; // milliseconds; who takes longer for an object does something else
const RECENT = 20; // decisions that tell how long one takes
const ENOUGH = 3; // of them, before it is said
const later = new Set(); // ids that are to come last, as long as the page is open
const pending = new Set(); // ids of decisions that are being stored
const pauses = []; // milliseconds between decisions
let last = 0; // when the last decision was made, or the review opened
let open = null; // what is shown: { id, parts, object, drawing, whole, typed }

export function showReview(main, wanted) {
  closeReview();
  open = { id: wanted.id, parts: partsOf(), object: null, drawing: null, whole: false };
  const { parts } = open;
  main.append(el("section", { class: "review", "aria-label": "Review" },
    el("header", { class: "line" }, el("h2", {}, "Review"), parts.scope, parts.count,
      el("span", { class: "push" }), parts.wide, layerSwitches()),
    parts.progress, parts.stage, parts.panel));
  parts.stage.focus({ preventScroll: true });
  last = performance.now();
  update();
  return () => update();
}

export function closeReview() {
  if (open?.drawing) release(open.drawing);
  open = null;
}

function partsOf() {
  const field = el("input", {
    type: "search", placeholder: "Type to find, or to name a new one", maxlength: 120,
    "aria-label": "Category", autocomplete: "off", spellcheck: "false", oninput: listCategories,
    onkeydown: fieldKey,
  });
  const act = (text, key, work, kind, more = corrects) => button([text, el("kbd", {}, key)], work, { class: kind, "aria-keyshortcuts": key, ...more });
  const accept = act("Accept", "A", () => decide({}), "strong");
  const reject = act("Reject", "X", () => decide({ rejected: true }), "quiet");
  const skip = act("Later", "S", postpone, "quiet", {});
  const wide = el("label", { class: "layers", title: "Key W" },
    el("input", { type: "checkbox", onchange: (event) => show(event.target.checked) }), el("span", {}, "Whole photo"));
  const name = el("p", { class: "soft", role: "status" }), choices = el("div", { class: "formats" });
  const rest = el("div", { class: "rest" }, el("h3", {}, "Accept in category"), field, choices);
  const decisions = el("div", { class: "decisions" }, accept, reject, skip);
  return {
    field, wide, name, choices, rest, decisions,
    scope: el("span", {}), count: el("p", { class: "soft" }),
    progress: el("progress", { max: 1, value: 0, "aria-label": "Reviewed" }),
    stage: el("div", { class: "stage-of", tabindex: -1, role: "img" }),
    panel: el("aside", { class: "panel" }, name, decisions, rest),
  };
}

const inScope = ({ category }) => !(open.id >= UNSORTED) || category.id === open.id;

// All that is to be decided, least sure first, and how much there is with what was decided.
function queue() {
  const all = run.objects.filter((object) => (object.reviewed || !object.out) && inScope(object));
  const waiting = all.filter(({ id, reviewed }) => !reviewed && !pending.has(id));
  const order = unsureness(all);
  waiting.sort((a, b) => later.has(a.id) - later.has(b.id) || order.get(a.id) - order.get(b.id));
  return { waiting, done: all.length - waiting.length, total: all.length };
}

// Scores and similarities are not of one scale: an object is as sure as the lower of its two ranks.
function unsureness(objects) {
  const lowest = new Map();
  for (const value of [({ score }) => score, ({ similarity }) => similarity ?? 1]) {
    [...objects].sort((a, b) => value(a) - value(b)).forEach(({ id, similarity }, rank) => {
      if (similarity === null && value({ similarity, score: null }) === 1) return;
      lowest.set(id, Math.min(rank, lowest.get(id) ?? Infinity));
    });
  }
  return lowest;
}

function update() {
  const { parts } = open, { waiting, done, total } = queue();
  const groups = [...run.groups.values()].filter(({ members, rejected }) => members.length && !rejected);
  const options = [["", "All objects"], ...groups.map(({ id, title }) => [String(id), title])];
  parts.scope.replaceChildren(...run.categories.length ? [select(options, open.id >= UNSORTED ? String(open.id) : "",
    (id) => { location.hash = id ? `#/review/${id}` : "#/review"; }, { "aria-label": "Objects to review" })] : []);
  parts.count.textContent = [`${done.toLocaleString("en")} of ${objectsIn(total)} reviewed`, rest(waiting.length)]
    .filter(Boolean).join(" · ");
  parts.progress.value = total ? done / total : 1;
  const next = waiting[0] ?? null;
  for (const part of [parts.decisions, parts.rest, parts.wide]) part.hidden = !next;
  if (!next) { finish(total); return; }
  if (next.id !== open.object?.id || next.image !== open.object.image) take(next);
  listCategories();
  // The next photo is there when it is its turn.
  if (waiting[1]) new Image().src = photoOf(waiting[1].image);
}

function take(object) {
  const { parts } = open;
  if (open.drawing) release(open.drawing);
  Object.assign(open, { object, drawing: hold(object.image) });
  parts.field.value = "";
  show(open.whole);
}

// The object with some of the photo around it, or all of the photo.
function show(whole) {
  const { object, drawing, parts } = open, { image, box: [x1, y1, x2, y2] } = object;
  open.whole = whole;
  parts.wide.querySelector("input").checked = whole;
  const room = whole ? Infinity : AROUND * Math.max(x2 - x1, y2 - y1);
  const left = Math.max(0, x1 - room), top = Math.max(0, y1 - room);
  const width = Math.min(image.width, x2 + room) - left, height = Math.min(image.height, y2 + room) - top;
  const photo = picture("photo", photoOf(image)), overlay = outlines(image, [object]);
  photo.addEventListener("error", () => { photo.src = drawing.thumbnail; }, { once: true });
  drawing.outlines().then((shapes) => trace(overlay, shapes, image), () => {});
  const stage = el("div", { class: "stage" }, photo, overlay), frame = el("div", { class: "frame" }, stage);
  frame.style.setProperty("--ratio", width / height);
  const share = (length, of) => `${(100 * length) / of}%`;
  Object.assign(stage.style, {
    left: share(-left, width), top: share(-top, height),
    width: share(image.width, width), height: share(image.height, height),
  });
  parts.stage.replaceChildren(frame);
  const { score, similarity, category, place } = object;
  const told = [image.key, `object ${place + 1}`, `score ${score.toFixed(2)}`,
    similarity !== null && category.id > 0 && `similarity ${similarity.toFixed(2)}`].filter(Boolean).join(" · ");
  parts.stage.setAttribute("aria-label", told);
  parts.stage.dataset.id = object.id;
  parts.name.replaceChildren(el("b", {}, el("bdi", {}, category.title)), el("span", {}, told));
}

// Nine have keys, those with most objects; typing narrows them, and names a new one.
function listCategories() {
  const { parts, object } = open, text = parts.field.value.trim();
  const groups = run.categories.filter(({ rejected }) => !rejected).sort((a, b) => b.members.length - a.members.length || a.id - b.id);
  const { first, last, isNew: mayBeNew } = meant(groups, text), isNew = text && mayBeNew;
  const had = parts.choices.contains(document.activeElement);
  const choice = (group) => button(
    [el("span", {}, groups.indexOf(group) < 9 && el("kbd", {}, groups.indexOf(group) + 1), el("bdi", {}, group.title)),
      el("span", { class: "soft" }, group.members.length)],
    () => decide({ category: group.id }),
    { class: "choice", "aria-pressed": String(object.category.id === group.id), ...corrects });
  open.typed = first[0] ? { category: first[0].id } : isNew ? { category: null, name: text } : last[0] ? { category: last[0].id } : null;
  parts.choices.replaceChildren(...first.map(choice),
    ...isNew ? [button(`New category “${text}”`, () => decide({ category: null, name: text }), { class: "choice", ...corrects })] : [], ...last.map(choice));
  open.keys = groups.slice(0, 9);
  if (had) parts.stage.focus({ preventScroll: true });
}

function finish(total) {
  const { parts } = open;
  if (open.drawing) release(open.drawing);
  Object.assign(open, { object: null, drawing: null });
  parts.name.textContent = "";
  const scoped = open.id >= UNSORTED;
  parts.stage.replaceChildren(el("div", { class: "empty" },
    el("p", {}, total ? "All of them are reviewed." : "There is no object to review here."),
    el("p", {}, total ? "What was decided is in the history, and can be taken back." : ""),
    scoped ? el("a", { class: "strong", href: "#/review" }, "Review the others")
      : el("a", { class: "strong", href: "#/categories" }, "To the categories")));
  parts.stage.focus({ preventScroll: true });
}

// The next object comes at once; where this decision is refused, it comes back.
async function decide(wanted) {
  const { object } = open ?? {};
  if (!object) return;
  const now = performance.now();
  if (now - last < BREAK) pauses.push(now - last);
  last = now;
  pending.add(object.id);
  later.delete(object.id);
  const done = attempt(() => correct("objects/reviewed", { ids: [object.id], ...wanted }));
  update();
  await done;
  pending.delete(object.id);
  if (open) update();
}

function postpone() {
  const { object } = open;
  // Anew, so that it comes behind those that were put off before.
  later.delete(object.id);
  later.add(object.id);
  update();
}

function rest(count) {
  const recent = pauses.slice(-RECENT).sort((a, b) => a - b);
  if (recent.length < ENOUGH || !count) return "";
  return timeLeft((count * recent[Math.floor(recent.length / 2)]) / 1000);
}

function fieldKey(event) {
  if (event.key === "Enter" && open.typed) decide(open.typed);
  else if (event.key !== "Escape" && event.key !== "Enter") return;
  event.preventDefault();
  open.parts.stage.focus({ preventScroll: true });
  if (open.parts.field.value) { open.parts.field.value = ""; listCategories(); }
}

// Whether a key means something here.
export function reviewKey(key, target) {
  if (!open?.object) return false;
  const letter = key.toLowerCase(), onControl = target.closest?.("button, a, summary, input");
  if (letter === "a" || (key === "Enter" && !onControl)) decide({});
  else if (letter === "x") decide({ rejected: true });
  else if (letter === "s") postpone();
  else if (letter === "w") show(!open.whole);
  else if (letter === "/") open.parts.field.select();
  else if (Number(key) && open.keys[Number(key) - 1]) decide({ category: open.keys[Number(key) - 1].id });
  else return false;
  return true;
}
