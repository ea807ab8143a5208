// What all views share: the run as it was last seen, its categories, and which layers are shown.

import { ask, Refused, tell } from "./api.js";

// `seen` is the version of the run that the view shows.
export const state = { run: null, categories: [], seen: null };

const listeners = new Set();

// Calls back whenever the run was looked at again.
export const onRun = (listener) => listeners.add(listener);

export async function refresh() {
  // In this order, so that what is shown is never older than its version says.
  const run = await ask("run"), categories = await ask("categories");
  Object.assign(state, { run, categories });
  for (const listener of listeners) listener(run);
}

// Every view is to show what somebody here has changed.
export const tellChanged = () => dispatchEvent(new Event("heap:changed"));

let before = Promise.resolve(); // The correction before, which must not be taken for somebody else's.

// Changes the run as it is shown; where somebody else has changed it since, it is shown anew instead.
export function correct(path, body) {
  const now = before.catch(() => {}).then(() => send(path, body));
  before = now;
  return now;
}

async function send(path, body) {
  try {
    const done = await tell(path, { ...body, version: state.seen });
    state.seen = done.version;
    return done;
  } catch (error) {
    if (!(error instanceof Refused) || !error.version) throw error;
    await refresh();
    state.seen = state.run.version;
    tellChanged();
    throw error;
  }
}

// What has changed is shown already.
export const tellSeen = () => dispatchEvent(new Event("heap:seen"));

const SPECIAL = { 0: "In no category", "-1": "Not sorted yet" };

export function titleOf(category) {
  if (category in SPECIAL) return SPECIAL[category];
  return state.categories.find((each) => each.id === category)?.title ?? "";
}

// In a browser that keeps nothing, choices last as long as the page.
export function kept(name, usual) {
  try {
    return JSON.parse(localStorage.getItem(`heap-${name}`)) ?? usual;
  } catch {
    return usual;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(`heap-${name}`, JSON.stringify(value));
  } catch { /* Nothing depends on it. */ }
}
