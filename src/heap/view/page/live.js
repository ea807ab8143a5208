// What happens to the run while the page is open: one stream of events from heap serve. A bar says
// when it has stopped answering, or that another process works on the run, and goes by itself.

import { el, find, number, timeLeft } from "./dom.js";

const AGAIN = 3000; // milliseconds until the next try, where the browser makes none
const STAGES = { objects: "looks for objects", match: "compares the photos with the run", gallery: "writes the gallery" };

// The last event: the version of the run, the work of another process, and the export; `isLost`
// says that none comes.
export const live = { version: null, work: null, export: null, isLost: false };

let stream = null;

export function listen() {
  document.addEventListener("visibilitychange", () => (document.hidden ? hang() : call()));
  addEventListener("pagehide", hang);
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
  if (!live.work) return "";
  const { stage, done, total } = live.work;
  const part = total ? `, ${done.toLocaleString("en")} of ${total.toLocaleString("en")}` : "";
  return ["heap discover is at work on this run", STAGES[stage] && ` (it ${STAGES[stage]}${part})`,
    ". Corrections wait until it has ended."].filter(Boolean).join("");
}

function progress() {
  if (live.isLost || !live.work?.total) return [];
  const { done, total, rate } = live.work;
  const seconds = rate ? (total - done) / rate : null;
  return [el("progress", { max: total, value: done, "aria-label": "Done" }),
    rate && el("span", {}, [rate < 0.95 ? `${number(Math.round(60 * rate), "image")} a minute` : `${rate.toFixed(1)} images a second`,
      done < total && timeLeft(seconds)].filter(Boolean).join(", "))].filter(Boolean);
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
