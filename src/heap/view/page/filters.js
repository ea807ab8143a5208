// What lists and map are narrowed to. All of it is in the address, so that it can be kept and sent.

// Ranges by their names in the address, and what they are of; those of images count for their objects.
export const RANGES = {
  score: { title: "Score", of: ({ score }) => score, most: () => 1 },
  // Most objects are small: the root gives these half of the scale.
  size: { title: "Size", of: ({ share }) => Math.sqrt(share), most: () => 1, percent: true },
  count: { title: "Objects in the image", of: ({ image }) => image.kept.length, most: manyIn, whole: true },
};
export const ONLY = {
  copies: "Photos that are there more than once", odd: "Objects unlike all others", unreviewed: "Not reviewed yet",
  reviewed: "Reviewed", drawn: "Masks by a person",
};
const NAMES = ["words", "category", "only", ...Object.keys(RANGES)];
export const MANY = 12; // objects in an image from which on numbers are not told apart

function manyIn(images) {
  return Math.min(MANY, images.reduce((most, { kept }) => Math.max(most, kept.length), 1));
}

// What `heap inspect` sees, when it has come: sets of keys and ids.
export const seen = { copies: null, odd: null };

export const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

// The part of what an address says that narrows.
export const filterOf = (wanted) =>
  Object.fromEntries(NAMES.filter((name) => wanted[name]).map((name) => [name, wanted[name]]));

export const sameFilter = (one, other) => NAMES.every((name) => (one[name] ?? "") === (other[name] ?? ""));

// The address of a view with the filter of another one.
export function narrowedTo(path, wanted) {
  const values = new URLSearchParams(filterOf(wanted));
  return `#/${path}${values.size ? `?${values}` : ""}`;
}

// [from, to] of a text such as 0.3-0.8; null where it says nothing.
export function rangeOf(text) {
  const ends = String(text ?? "").split("-").map(Number);
  return ends.length === 2 && text && ends.every((end) => end >= 0) ? ends : null;
}

// Whether an object fits. Whoever writes words looks for all of them in its path and its category.
export function objectFilter(wanted) {
  const words = wordsOf(wanted.words ?? ""), tests = rangeTests(wanted, Object.keys(RANGES));
  if (wanted.category) tests.push(({ category }) => category.id === Number(wanted.category));
  if (ONLY[wanted.only]) tests.push(onlyTest(wanted.only));
  if (words.length) tests.push((object) => words.every((word) => textOf(object).includes(word)));
  return (object) => tests.every((test) => test(object));
}

// An image fits if one of its objects does; one without objects only if nothing is asked of objects.
export function imageFilter(wanted) {
  const { words = "", only, ...rest } = filterOf(wanted), search = wordsOf(words);
  const ofObjects = objectFilter({ ...rest, count: "", only: only === "copies" ? "" : only });
  const asked = Object.keys(rest).some((name) => name !== "count") || (only && only !== "copies");
  const [counts] = rangeTests(wanted, ["count"]);
  return (image) => search.every((word) => image.text.includes(word))
    && (!counts || counts({ image })) && (only !== "copies" || Boolean(seen.copies?.has(image.key)))
    && (!asked || image.kept.some(ofObjects));
}

function rangeTests(wanted, names) {
  return names.filter((name) => rangeOf(wanted[name])).map((name) => {
    const { of, percent, whole } = RANGES[name], [from, to] = rangeOf(wanted[name]);
    const [low, high] = percent ? [from, to].map(Math.sqrt) : [from, to];
    return (object) => {
      const value = whole ? Math.min(MANY, of(object)) : of(object);
      return value >= low && value <= high;
    };
  });
}

function onlyTest(only) {
  return {
    copies: ({ image }) => Boolean(seen.copies?.has(image.key)), odd: ({ id }) => Boolean(seen.odd?.has(id)),
    unreviewed: ({ reviewed }) => !reviewed, reviewed: ({ reviewed }) => reviewed, drawn: ({ drawn }) => drawn,
  }[only];
}

const textOf = (object) => (object.text ??= `${object.image.key} ${object.category.title}`.toLowerCase());
