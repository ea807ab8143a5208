// What happens to the run while the page is open: one stream of events from heap serve. A bar says
// when it has stopped answering, or that another process works on the run, and goes by itself.

import { el, find, number, timeLeft } from "./dom.js";

const AGAIN = 3000; // milliseconds until the next try, where the browser makes none

// The last event: the version of the run, the work of another process, and the export; `isLost`
// says that none comes.
export const live = { version: null, work: null, export: null, isLost: false };

let stream = null;

export function listen() {
  document.addEventListener("visibilitychange", () => (document.hidden ? hang() : call()));
  addEventListener("pagehide", hang);
  addEventListener("pageshow", ({ persisted }) => { if (persisted) call(); });
  new MutationObserver(() => { if (reason()) disable(); }).observe(document.body, { childList: true, subtree: true });
  if (!document.hidden) call();
}

// A hidden page keeps no connection: a browser has few for all its tabs.
function hang() {
  stream?.close();
  stream = null;
}

function call() {
  hang();
  stream = new EventSource("api/events");
  stream.onmessage = ({ data }) => take({ ...JSON.parse(data), isLost: false });
  stream.onerror = () => {
    take({ isLost: true });
    // After an answer that is none the browser gives up.
    if (stream?.readyState === EventSource.CLOSED) setTimeout(() => { if (!document.hidden) call(); }, AGAIN);
  };
}

function take(news) {
  Object.assign(live, news);
  const bar = find("live"), why = reason();
  bar.hidden = !why;
  document.body.classList.toggle("waiting", Boolean(why));
  bar.classList.toggle("lost", live.isLost);
  bar.replaceChildren(...why ? [el("span", {}, why), ...progress()] : []);
  disable();
  dispatchEvent(new Event("heap:live"));
}

// Why nothing can be corrected now; empty if it can.
export function reason() {
  if (live.isLost) return "heap serve does not answer. Start it again if it has ended: this page comes back by itself.";
  return live.work ? "heap discover is at work on this run. Corrections wait until it has ended." : "";
}

// How far another process is, how fast, and how long the rest takes about.
function progress() {
  if (live.isLost || !live.work) return [];
  const { stage, done, total, rate } = live.work;
  if (stage !== "objects" || !total) return [];
  const pace = rate && (rate < 0.95 ? `${number(Math.round(60 * rate), "image")} a minute` : `${rate.toFixed(1)} images a second`);
  const left = rate && done < total && timeLeft((total - done) / rate);
  return [el("progress", { max: total, value: done, "aria-label": "Done" }),
    el("span", {}, [`${done.toLocaleString("en")} of ${number(total, "image")}`, pace, left].filter(Boolean).join(", "))];
}

// What corrects is disabled with the reason meanwhile.
function disable() {
  const why = reason();
  for (const control of document.querySelectorAll("[data-corrects]")) {
    control.dataset.hint ??= control.title;
    control.disabled = Boolean(why);
    control.title = why || control.dataset.hint;
  }
}
