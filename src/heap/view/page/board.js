// A list of pictures of which only those near the view are in the page, however many there are.

import { cancel, drawNow, drawSoon, empty } from "./draw.js";

const MARGIN = 500; // pixels around the view that are drawn too
const boards = new Set();
let printing = false;
const boardOf = new WeakMap(); // by bed

// Rows of squares of equal size; `least` is the side that they have at least.
export const squares = (least, gap) => (items, width) => {
  const across = Math.max(2, Math.floor((width + gap) / (least + gap)));
  const side = (width - gap * (across - 1)) / across, step = side + gap;
  return {
    cell: (at) => ({
      x: (at % across) * step, y: Math.floor(at / across) * step, width: side, height: side,
    }),
    extent: Math.ceil(items.length / across) * step, tallest: side,
  };
};

// One row of squares, to be scrolled sideways.
export const strip = (side, gap) => (items) => ({
  cell: (at) => ({ x: at * (side + gap), y: 0, width: side, height: side }),
  extent: items.length * (side + gap) - gap, tallest: side,
});

// Rows of pictures of one height that fill the width, as high as that makes them; `below` are the
// pixels of text under each.
export const rows = (shape, heightAt, gap, below) => (items, width) => {
  const high = heightAt(width), cells = [];
  let from = 0, sum = 0, y = 0;
  const close = (to, most) => {
    const height = Math.min(most, (width - (to - from - 1) * gap) / sum);
    let x = 0;
    for (; from < to; from += 1) {
      const across = shape(items[from]) * height;
      cells.push({ x, y, width: across, height: height + below });
      x += across + gap;
    }
    y += height + below + gap;
    sum = 0;
  };
  items.forEach((item, at) => {
    const next = shape(item);
    if (sum && (sum + next) * high + (at - from) * gap > width) close(at, 1.5 * high);
    sum += next;
  });
  if (sum) close(items.length, high);
  return { cell: (at) => cells[at], extent: y, tallest: 1.5 * high + below };
};

export class Board {
  // `render(item)` makes an element, and `dress(element, item, place)` says in it what may change;
  // `row` is what scrolls sideways, if that is not the page.
  constructor(bed, layout, render, dress, row = null) {
    Object.assign(this, { bed, layout, render, dress, row, items: [], drawn: new Map(), current: 0 });
    boards.add(this);
    boardOf.set(bed, this);
    bed.classList.add("bed");
    row?.addEventListener("scroll", () => drawSoon(this, () => this.draw()), { passive: true });
  }

  show(items) {
    this.items = items;
    this.places = new Map(items.map((item, at) => [idOf(item), at]));
    this.current = Math.max(0, Math.min(this.current, items.length - 1));
    this.lay();
  }

  lay() {
    // Of many rows, each question about the layout would have all of it computed again.
    this.width = this.row ? 0 : this.bed.clientWidth;
    this.laid = this.layout(this.items, this.width);
    this.bed.style[this.row ? "width" : "height"] = `${Math.max(0, this.laid.extent)}px`;
    const here = focused(), lost = here?.board === this && !this.places.has(document.activeElement.closest(".bed > *").dataset.id);
    for (const [id, element] of this.drawn) {
      if (this.places.has(id)) this.set(element, this.places.get(id));
      else this.forget(id, element);
    }
    this.arrange();
    if (this.row) drawSoon(this, () => this.draw());
    else this.draw();
    // What had the focus is gone: who goes by keys goes on with what has taken its place.
    if (lost && this.items.length) this.focus(Math.min(here.place, this.items.length - 1));
  }

  // Elements follow each other as they are seen, for those who hear the page and for Tab.
  arrange() {
    const inOrder = [...this.drawn.values()].sort((a, b) => a.dataset.place - b.dataset.place);
    if (inOrder.every((element, at) => this.bed.children[at] === element)) return;
    const target = document.activeElement;
    this.bed.append(...inOrder);
    if (this.bed.contains(target)) target.focus({ preventScroll: true });
  }

  set(element, at) {
    const { x, y, width, height } = this.laid.cell(at);
    Object.assign(element.style, {
      left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px`,
    });
    element.dataset.place = at;
    targetOf(element).tabIndex = at === this.current ? 0 : -1;
    this.dress(element, this.items[at], at);
  }

  // The places that are near the view: cells lie in order along the way that is scrolled.
  near(margin) {
    const { top, bottom } = this.bed.getBoundingClientRect();
    if (!this.row) return this.between("y", -top - margin, innerHeight - top + margin);
    if (bottom < -margin || top > innerHeight + margin) return [0, 0];
    return this.between("x", this.row.scrollLeft - margin, this.row.scrollLeft + innerWidth + margin);
  }

  between(axis, start, end) {
    const first = (fits) => {
      let [low, high] = [0, this.items.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (fits(this.laid.cell(middle)[axis])) high = middle;
        else low = middle + 1;
      }
      return low;
    };
    return [first((at) => at + this.laid.tallest > start), first((at) => at >= end)];
  }

  draw() {
    const [from, to] = this.near(printing ? Infinity : MARGIN);
    for (const [id, element] of this.drawn) {
      const at = this.places.get(id);
      if ((at < from || at >= to) && !element.contains(document.activeElement)) this.forget(id, element);
    }
    // Backwards, so that each goes in before the one after it, and Tab goes through them in order.
    for (let at = to - 1; at >= from; at -= 1) {
      const id = idOf(this.items[at]);
      if (this.drawn.has(id)) continue;
      const element = this.render(this.items[at]), after = this.items[at + 1];
      this.drawn.set(id, element);
      this.bed.insertBefore(element, (after && this.drawn.get(idOf(after))) ?? null);
      this.set(element, at);
    }
  }

  forget(id, element) {
    this.drawn.delete(id);
    for (const stage of element.querySelectorAll(".stage")) empty(stage);
    element.remove();
  }

  close() {
    for (const [id, element] of this.drawn) this.forget(id, element);
    boards.delete(this);
    cancel(this);
  }

  // What changes without the list, such as what is selected.
  redress() {
    for (const [id, element] of this.drawn) this.dress(element, this.items[this.places.get(id)], this.places.get(id));
  }

  focus(at, scroll = true) {
    const { x, y, width, height } = this.laid.cell(at), bar = barHeight();
    const top = y + this.bed.getBoundingClientRect().top, bottom = top + height;
    if (scroll && (top < bar || bottom > innerHeight)) {
      scrollBy(0, top - Math.max(bar + 8, (innerHeight - height) / 2));
    }
    if (this.row && (x < this.row.scrollLeft || x + width > this.row.scrollLeft + this.row.clientWidth)) {
      this.row.scrollLeft = x - (this.row.clientWidth - width) / 2;
    }
    this.draw();
    const before = this.drawn.get(idOf(this.items[this.current]));
    if (before) targetOf(before).tabIndex = -1;
    this.current = at;
    const target = targetOf(this.drawn.get(idOf(this.items[at])));
    target.tabIndex = 0;
    target.focus({ preventScroll: true });
  }

  // The place beside this one in the line above or below.
  beyond(place, step) {
    const { y, x, width } = this.laid.cell(place), middle = x + width / 2;
    const cell = (at) => (at >= 0 && at < this.items.length ? this.laid.cell(at) : null);
    let at = place;
    while (cell(at)?.y === y) at += step;
    const line = cell(at)?.y;
    let [best, least] = [place, Infinity];
    for (; cell(at)?.y === line && cell(at); at += step) {
      const away = Math.abs(cell(at).x + cell(at).width / 2 - middle);
      if (away < least) [best, least] = [at, away];
    }
    return best;
  }
}

const idOf = (item) => item.id ?? item.key;
const targetOf = (element) => element.querySelector("a");
const barHeight = () => {
  const heads = [...document.querySelectorAll(".live, .bar, .line.sticky")];
  return heads.filter((head) => getComputedStyle(head).position === "sticky")
    .reduce((sum, head) => sum + head.offsetHeight, 0);
};

export const allBoards = () => [...boards];

// The board and the place of the element that has the focus.
export function focused() {
  const element = document.activeElement?.closest?.(".bed > *");
  const board = element && boardOf.get(element.parentNode);
  return board ? { board, place: Number(element.dataset.place) } : null;
}

// Keys that lead from one place to another.
export const ARROWS = /^(Arrow(Left|Right|Up|Down)|Home|End)$/;

// Where an arrow leads: [board, place]; to the first in view if nothing has the focus.
export function afterArrow(key) {
  const here = focused(), filled = allBoards().filter(({ items, bed }) => items.length && bed.checkVisibility())
    .sort((a, b) => (a.bed.compareDocumentPosition(b.bed) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
  if (!here) {
    const first = filled.find((board) => board.bed.getBoundingClientRect().bottom > barHeight());
    if (!first || !["ArrowRight", "ArrowDown"].includes(key)) return null;
    return [first, first.near(-barHeight())[0]];
  }
  const { board, place } = here, last = board.items.length - 1;
  const along = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: last }[key];
  if (along !== undefined) return [board, Math.min(last, Math.max(0, along))];
  const step = key === "ArrowUp" ? -1 : 1, beyond = board.beyond(place, step);
  const other = filled[filled.indexOf(board) + step];
  if (beyond !== place || !other) return [board, beyond];
  if (!board.row || !other.row) return [other, step > 0 ? 0 : other.items.length - 1];
  const x = board.laid.cell(place).x - board.row.scrollLeft + other.row.scrollLeft;
  const [at] = other.between("x", x, Infinity);
  return [other, Math.min(at, other.items.length - 1)];
}

export function closeBoards() {
  for (const board of allBoards()) board.close();
}

export function redress() {
  for (const board of boards) board.redress();
}

const drawAll = () => { for (const board of boards) drawSoon(board, () => board.draw()); };
addEventListener("scroll", drawAll, { passive: true });
addEventListener("resize", () => {
  for (const board of boards) {
    if (board.bed.clientWidth !== board.width && !board.row) board.lay();
  }
  drawAll();
});

// Paper has room for all, and does not wait.
function print(on) {
  printing = on;
  for (const board of boards) board.draw();
  if (on) drawNow();
}
addEventListener("beforeprint", () => print(true));
addEventListener("afterprint", () => print(false));
