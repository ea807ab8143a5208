// The run as it was last read: its images, objects and categories, and how it is corrected.

import { categoriesIn, kept, objectsIn } from "./dom.js";
import { objectFilter } from "./filters.js";
import { reason } from "./live.js";
import { isDrawn, readContents, Refused, tell } from "./source.js";

const LOW = 0.25; // An image whose best object scores less has none that is certain.
export const APART = 0; // stands for no category,
export const UNSORTED = -1; // and for none yet

// `about` is what the server says of the run; `groups` are categories by their numbers, with APART
// and UNSORTED; `seen` is the version that is shown.
export const run = {
  about: null, seen: null, images: [], objects: [], categories: [], groups: new Map(),
  byKey: new Map(), byId: new Map(), failures: [],
};

function build({ run: about, categories, images, objects, failures }) {
  const rows = images.key.map((key, row) => ({
    key, row, width: images.width[row], height: images.height[row], note: images.note[row], version: images.version[row],
    objects: [],
  }));
  const special = [[APART, "In no category"], [UNSORTED, "Not sorted yet"]].map(
    ([id, title]) => ({ id, title, name: "", rejected: false, special: true }));
  const groups = new Map([...categories, ...special].map(
    (group) => [group.id, { ...group, members: [], coherence: null }]));
  const rejected = new Set(objects.rejected), reviewed = new Set(objects.reviewed);
  const drawn = new Set(objects.drawn);
  const all = objects.image.map((row, at) => {
    const image = rows[row], place = image.objects.length, category = groups.get(objects.category[at]);
    const [left, top, right, bottom] = objects.box[at];
    const object = {
      share: ((right - left) * (bottom - top)) / (image.width * image.height), // of the image, by its box
      id: `${image.key}#${place}`, image, place, category, box: objects.box[at],
      score: objects.score[at], similarity: objects.similarity[at], rejected: rejected.has(at), reviewed: reviewed.has(at),
      drawn: drawn.has(at),
    };
    object.out = object.rejected || category.rejected;
    image.objects.push(object);
    if (!object.rejected) category.members.push(object);
    return object;
  }).filter(({ image }) => isDrawn(image));
  for (const group of groups.values()) {
    group.members = group.members.filter(({ image }) => isDrawn(image)).sort(byTypical);
    const sum = group.members.reduce((total, { similarity }) => total + similarity, 0);
    if (group.id > 0 && group.members.length) group.coherence = sum / group.members.length;
  }
  const shown = rows.filter(isDrawn);
  for (const image of shown) describe(image);
  Object.assign(run, {
    about, groups, failures, images: shown, objects: all,
    categories: [...groups.values()].filter(({ id }) => id > 0),
    byKey: new Map(shown.map((image) => [image.key, image])),
    byId: new Map(all.map((object) => [object.id, object])),
  });
}

// Objects of no category have no similarity: the best come first.
const byTypical = (a, b) => (b.similarity ?? b.score) - (a.similarity ?? a.score);

function describe(image) {
  image.kept = image.objects.filter(({ out }) => !out);
  image.best = Math.max(0, ...image.kept.map(({ score }) => score));
  image.kind = image.kept.length ? (image.best < LOW ? "low" : "sure") : "none";
  const titles = image.kept.filter(({ category }) => !category.special).map(({ category }) => category.title);
  image.text = [image.key, ...titles].join(" ").toLowerCase();
}

export const ORDERS = {
  similarity: ["most typical first", byTypical],
  "-similarity": ["least typical first", (a, b) => byTypical(b, a)],
  score: ["highest score first", (a, b) => b.score - a.score],
  "-score": ["lowest score first", (a, b) => a.score - b.score],
  name: ["by name", () => 0],
};

// Objects that fit the filter of an address, in an order.
export function matching(objects, wanted, order) {
  const chosen = objects.filter(objectFilter(wanted));
  if (order === "name") chosen.sort((a, b) => a.image.row - b.image.row || a.place - b.place);
  return chosen.sort(ORDERS[order]?.[1] ?? byTypical);
}

// Groups of similar categories, from those in `categories`, in the order of their first ones. The
// members of a group are the most typical of each of its categories in turn.
export function groupsOf(categories) {
  const parts = Map.groupBy(categories, ({ group }) => group);
  return [...parts].sort(([a], [b]) => a - b).map(([number, inside]) => {
    const names = inside.map(({ name }) => name).filter(Boolean), more = inside.length - Math.min(3, names.length);
    const title = names.length ? `${names.slice(0, 3).join(", ")}${more ? ` and ${more} more` : ""}` : `Group ${number}`;
    const turns = inside.flatMap(({ members }) => members.map((object, turn) => ({ object, turn })));
    const members = turns.sort((a, b) => a.turn - b.turn).map(({ object }) => object);
    return { id: `group-${number}`, title, categories: inside, members, coherence: null };
  });
}

export const tellGroup = ({ categories, members }) => `${categoriesIn(categories.length)}, ${objectsIn(members.length)}`;

// Categories that a text may mean: `first` are those that Enter takes before a new one of this
// name, its own title at the head, then titles that begin with it; `last` only contain it, or have
// no name: who types "cat" does not mean category-1.
export function meant(groups, text) {
  const wanted = text.toLowerCase(), isExact = ({ title }) => title.toLowerCase() === wanted;
  const fitting = groups.filter(({ title }) => title.toLowerCase().includes(wanted));
  const begins = ({ title, name, special }) => title.toLowerCase().startsWith(wanted) && Boolean(!wanted || name || special);
  const first = [...fitting.filter(isExact), ...fitting.filter((group) => !isExact(group) && begins(group))];
  return { first, last: fitting.filter((group) => !first.includes(group)), isNew: !groups.some(({ title }) => title === text) };
}

export async function refresh() {
  build(await readContents());
  run.seen = run.about.version;
}

let before = Promise.resolve(); // The correction before, which must not be taken for somebody else's.

// Changes the run as it is shown; where somebody else has changed it since, it is shown anew instead.
export function correct(path, body) {
  count(1);
  const now = before.catch(() => {}).then(() => send(path, body));
  before = now;
  return now;
}

// Whether a correction of this page is on its way: the run is not changed by somebody else then.
export const isCorrecting = () => waiting > 0;
let waiting = 0;

function count(change) {
  waiting += change;
  document.body.ariaBusy = isCorrecting() ? "true" : null;
}

// They are sent one after the other, so who decides quickly and leaves would lose the last ones.
addEventListener("beforeunload", (event) => { if (isCorrecting()) event.preventDefault(); });

async function send(path, body) {
  try {
    if (reason()) throw new Refused(reason());
    const done = await tell(path, { ...body, who: kept("who", ""), version: run.seen });
    await refresh();
    return done;
  } catch (error) {
    if (error instanceof Refused && error.version) await refresh();
    throw error;
  } finally {
    count(-1);
    dispatchEvent(new Event("heap:changed"));
  }
}
