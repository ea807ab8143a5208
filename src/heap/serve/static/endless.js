// A list that loads its next page when its end comes into view.

import { attempt } from "./api.js";
import { el } from "./dom.js";

const PAGE = 60;
const AHEAD = "800px";

export class Endless {
  // `load(offset, limit)` gives { total, items }, `render(item)` an element, and `onTotal` hears how
  // many there are.
  constructor(list, load, render, onTotal = () => {}) {
    Object.assign(this, { list, load, render, onTotal });
    this.items = [];
    this.loading = null;
    this.end = el("div", { class: "end" });
    this.watcher = new IntersectionObserver(
      (seen) => { if (seen.some((each) => each.isIntersecting)) this.more(); },
      { rootMargin: AHEAD });
    this.watcher.observe(this.end);
  }

  // Loads the next page; a second call while it comes waits for the same one.
  more() {
    this.loading ??= this.page().finally(() => { this.loading = null; });
    return this.loading;
  }

  // Forgets items whose elements the caller takes out of the list.
  remove(fits) {
    const kept = this.items.filter((each) => !fits(each));
    this.tellTotal(this.total - this.items.length + kept.length);
    this.items = kept;
  }

  tellTotal(total) {
    this.total = total;
    this.onTotal(total);
  }

  async page() {
    const page = await attempt(() => this.load(this.items.length, PAGE));
    if (!page) return;
    this.tellTotal(page.total);
    this.items.push(...page.items);
    this.list.append(...page.items.map(this.render));
    this.watcher.unobserve(this.end);
    // If the end is still in view, it is not seen to come into view unless it is watched anew.
    if (page.items.length && this.items.length < page.total) this.watcher.observe(this.end);
    else this.end.remove();
  }
}
