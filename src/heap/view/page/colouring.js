// Colours of the points of the map: by category, score, folder or source.

import { run } from "./run.js";

const HUES = ["4e79a7", "f28e2b", "59a14f", "e15759", "b07aa1", "edc948", "76b7b2", "d37295", "9c755f", "8cd17d",
  "a0cbe8", "ff9da7", "499894", "d4a6c8", "b6992d", "6b6ecf"];
const GREY = "8f8b82"; // of what is in no group
const RAMP = ["440154", "3b528b", "21918c", "5ec962", "fde725"]; // viridis, from low to high
const SHADES = 32;
const MOST = 24; // groups that are told apart
const numberOf = (hex) => parseInt(hex.slice(4) + hex.slice(2, 4) + hex.slice(0, 2), 16);
const folderOf = ({ image: { key } }) => (key.includes("/") ? key.slice(0, key.lastIndexOf("/")) : "");

// Each gives groups of objects, { key, text, hue, count, filter }, and the number of that of an object.
export const COLOURINGS = {
  category: { title: "category", group: byCategory },
  score: { title: "score", group: byScore },
  folder: { title: "folder", group: (objects) => byKey(objects, folderOf, (folder) => folder || "no folder", (words) => ({ words })) },
  source: { title: "source", group: bySource },
};

// Colours as 0xBBGGRR, as pixels have them, and the groups of the legend.
export function colour(objects, by) {
  const { groups, of } = (COLOURINGS[by] ?? COLOURINGS.category).group(objects);
  const numbers = groups.map(({ hue }) => numberOf(hue));
  return { groups, colours: Uint32Array.from(objects, (object) => numbers[of(object)]) };
}

function byCategory(objects) {
  const named = run.categories.filter(({ rejected }) => !rejected), places = new Map();
  const groups = [...named, ...[...run.groups.values()].filter(({ special }) => special)]
    .map(({ id, title, special }, at) => {
      places.set(id, at);
      return { key: id, text: title, hue: special ? GREY : HUES[at % HUES.length], count: 0, filter: { category: String(id) } };
    });
  for (const { category } of objects) groups[places.get(category.id)].count += 1;
  return { groups, of: ({ category }) => places.get(category.id) };
}

function byScore(objects) {
  const groups = Array.from({ length: SHADES }, (_, at) => ({ hue: shade(at / (SHADES - 1)) }));
  return { groups, of: ({ score }) => Math.min(SHADES - 1, Math.floor(score * SHADES)) };
}

export const shade = (share) => {
  const at = Math.min(RAMP.length - 2, Math.floor(share * (RAMP.length - 1))), part = share * (RAMP.length - 1) - at;
  const mix = (from) => Math.round(parseInt(RAMP[at].slice(from, from + 2), 16) * (1 - part)
    + parseInt(RAMP[at + 1].slice(from, from + 2), 16) * part).toString(16).padStart(2, "0");
  return mix(0) + mix(2) + mix(4);
};

function byKey(objects, keyOf, text, filter) {
  const counts = new Map();
  for (const object of objects) counts.set(keyOf(object), (counts.get(keyOf(object)) ?? 0) + 1);
  const kept = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MOST);
  const places = new Map(kept.map(([key], at) => [key, at]));
  const groups = kept.map(([key, count], at) => ({ key, text: text(key), hue: HUES[at % HUES.length], count, filter: filter(key) }));
  if (counts.size > MOST) {
    const count = objects.length - kept.reduce((sum, [, each]) => sum + each, 0);
    groups.push({ key: null, text: `${counts.size - MOST} others`, hue: GREY, count, filter: null });
  }
  return { groups, of: (object) => places.get(keyOf(object)) ?? MOST };
}

function bySource(objects) {
  const texts = { drawn: "mask by a person", reviewed: "by the model, reviewed", unreviewed: "by the model" };
  const keyOf = ({ drawn, reviewed }) => (drawn ? "drawn" : reviewed ? "reviewed" : "unreviewed");
  return byKey(objects, keyOf, (key) => texts[key], (only) => ({ only }));
}
