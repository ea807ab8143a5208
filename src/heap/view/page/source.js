// Where the data of the page are: at heap serve, or in the page itself, which is a gallery then.

import { find } from "./dom.js";
import { say } from "./say.js";

const inside = find("contents");
export const isGallery = inside !== null;

export class Refused extends Error {
  // `version` is that of the run where somebody else has changed it.
  constructor(message, version = undefined) {
    super(message);
    this.version = version;
  }
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("heap serve does not answer; is it still running?");
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  const told = await response.json().catch(() => null);
  const detail = told?.detail;
  throw new Refused(typeof detail === "string" ? detail : `heap serve says ${response.status}`,
    told?.version);
}

const query = (values) => new URLSearchParams(
  Object.entries(values).filter(([, value]) => value !== undefined && value !== ""));

export const ask = (path, values = {}, options = {}) =>
  answer(fetch(`api/${path}?${query(values)}`, options));

export const tell = (path, body) => answer(fetch(`api/${path}`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
}));

export const bring = (path, file, values = {}) =>
  answer(fetch(`api/${path}?${query(values)}`, { method: "POST", body: file }));

// Does something and shows why where it cannot be done.
export async function attempt(work, show = (reason) => say(reason, "bad")) {
  try {
    return await work();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    if (!(error instanceof Refused)) throw error;
    show(error.message);
    return undefined;
  }
}

// `base` is the address of the run, where it is another than that of the page.
const picture = (kind, { key, base = "" }) => `${base}pictures/${kind}?${query({ key })}`;
const blockOf = (image) => find(`drawing-${image.row}`);

// All but pictures and outlines. What is damaged in the store is not drawn, and left out.
export async function readContents() {
  return isGallery ? JSON.parse(inside.textContent) : ask("contents");
}

// The map of all objects: { state, done, total, reason, id, x, y }.
export const hasMap = () => !isGallery || find("map") !== null;
export const readMap = async () => (isGallery ? { state: "done", ...JSON.parse(find("map").textContent) } : ask("map"));

export const isDrawn = (image) => !isGallery || blockOf(image) !== null;

// Addresses of the thumbnail and the regions of an image, and its outlines when they have come:
// { canvas: [width, height], paths }. `free` is to be called when they are no longer shown.
export function readDrawing(image) {
  if (isGallery) {
    const { thumbnail, regions, ...outlines } = JSON.parse(blockOf(image).textContent);
    const addresses = [asAddress(thumbnail, "image/jpeg"), asAddress(regions, "image/png")];
    return {
      thumbnail: addresses[0], regions: addresses[1], outlines: async () => outlines,
      free: () => addresses.filter(Boolean).forEach((each) => URL.revokeObjectURL(each)),
    };
  }
  const { key, base = "" } = image, leaving = new AbortController();
  let coming = null;
  return {
    thumbnail: picture("thumbnail", image),
    regions: picture("regions", image),
    outlines: () => (coming ??= answer(fetch(`${base}api/outlines?${query({ key })}`, { signal: leaving.signal }))),
    free: () => leaving.abort(),
  };
}

export const photoOf = (image) => (isGallery ? null : picture("photo", image));

// An address of a picture that came as text.
export function asAddress(base64, type) {
  if (!base64) return "";
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type }));
}
