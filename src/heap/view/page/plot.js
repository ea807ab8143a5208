// Points on a canvas that is moved and enlarged, and what is under the pointer or in a lasso.
//
// Discs are written into the pixels: that takes a few milliseconds for 50,000 of them, with or
// without a graphics card, where drawing each by itself takes ten times as long.

const MOST = 400, STEP = 1.35, ALONG = 0.2; // largest scale; of a key; share of the view that a key moves
const FILLED = 0.9; // of the shorter side: pictures at the edge are not cut
const REACH = 14; // pixels around the pointer in which a point is meant
const APART = 3; // pixels between two corners of a lasso
const DIM = 90; // opacity of 255 of points that are left out

export class Plot {
  // `on` are functions: over(place or -1, event), open(place), lasso(places, event), moved().
  constructor(canvas, outline, on) {
    Object.assign(this, {
      canvas, outline, on, scale: 1, x: 0.5, y: 0.5, tool: "move", fingers: new Map(), path: null,
      xs: [], ys: [], colours: [], fits: [], chosen: [], soon: false, under: -1,
    });
    this.pen = canvas.getContext("2d");
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(canvas);
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const [kind, act] of Object.entries({ down: this.press, move: this.move, up: this.release, cancel: this.release })) {
      canvas.addEventListener(`pointer${kind}`, act.bind(this));
    }
    canvas.addEventListener("pointerleave", () => this.point(-1));
    canvas.addEventListener("contextmenu", (event) => { if (this.path) event.preventDefault(); });
  }

  // `xs` and `ys` in [0, 1]; colours as 0xBBGGRR; whether points fit the filter, and are selected.
  show({ xs, ys, colours, fits, chosen }) {
    Object.assign(this, { xs, ys, colours, fits, chosen });
    this.draw();
  }

  close() {
    this.resizing.disconnect();
  }

  draw() {
    if (this.soon) return;
    this.soon = true;
    requestAnimationFrame(() => { this.soon = false; this.paint(); });
  }

  // The square from 0 to 1 nearly fills the shorter side at scale 1; `x` and `y` are in the middle.
  get side() {
    return Math.min(this.canvas.clientWidth, this.canvas.clientHeight) * FILLED * this.scale;
  }

  // Where points are: `xs[place] * side + left` and `ys[place] * side + top`. Asked for once for all of
  // them, for the size of the canvas takes longer to read than a point to be drawn.
  get view() {
    const { clientWidth: width, clientHeight: height } = this.canvas, { side } = this;
    return { width, height, side, left: width / 2 - this.x * side, top: height / 2 - this.y * side };
  }

  spot(place) {
    const { side, left, top } = this.view;
    return [this.xs[place] * side + left, this.ys[place] * side + top];
  }

  paint() {
    const { canvas, pen, view } = this, dense = devicePixelRatio || 1;
    const width = Math.round(view.width * dense), height = Math.round(view.height * dense);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height || !this.pixels) {
      Object.assign(canvas, { width, height });
      this.image = pen.createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
      Object.assign(this, { width, height });
    } else this.pixels.fill(0);
    const radius = this.radius * dense, plain = disc(radius), ring = disc(radius + 2.2 * dense);
    const small = disc(Math.max(1.2 * dense, radius * 0.6)), ink = this.ink ?? 0;
    const { xs, ys } = this, count = xs.length, side = view.side * dense, left = view.left * dense, top = view.top * dense;
    const stampAll = (of, test, colour) => {
      for (let place = 0; place < count; place += 1) {
        if (test(place)) this.stamp(of, xs[place] * side + left, ys[place] * side + top, colour(place));
      }
    };
    const { fits, chosen, colours } = this;
    stampAll(small, (place) => !fits[place] && !chosen[place], () => (DIM << 24) | this.dim);
    stampAll(plain, (place) => fits[place] && !chosen[place], (place) => (255 << 24) | colours[place]);
    stampAll(ring, (place) => chosen[place], () => (255 << 24) | ink);
    stampAll(plain, (place) => chosen[place], (place) => (255 << 24) | colours[place]);
    pen.putImageData(this.image, 0, 0);
    this.on.moved();
  }

  get radius() {
    const count = this.xs.length, usual = count < 500 ? 5.5 : count < 3000 ? 4 : count < 15000 ? 2.6 : 1.7;
    return Math.min(9, usual * this.scale ** 0.4);
  }

  // Writes a disc of a colour over what is there.
  stamp({ offsets, covers, reach }, x, y, colour) {
    const { pixels, width, height } = this, column = Math.round(x), row = Math.round(y);
    if (column < -reach || row < -reach || column >= width + reach || row >= height + reach) return;
    const inside = column >= reach && row >= reach && column < width - reach && row < height - reach;
    const alpha = colour >>> 24, solid = colour | 0xff000000;
    for (let at = 0; at < covers.length; at += 1) {
      const across = column + offsets[2 * at], down = row + offsets[2 * at + 1];
      if (!inside && (across < 0 || down < 0 || across >= width || down >= height)) continue;
      const index = down * width + across, cover = (covers[at] * alpha) >> 8;
      pixels[index] = cover > 250 ? solid : over(pixels[index], colour, cover);
    }
  }

  // The nearest point that fits, within reach; -1 if there is none.
  nearest(x, y, reach = REACH) {
    const { xs, ys, fits } = this, { side, left, top } = this.view;
    let best = -1, least = reach * reach;
    for (let place = 0; place < xs.length; place += 1) {
      if (!fits[place]) continue;
      const away = (xs[place] * side + left - x) ** 2 + (ys[place] * side + top - y) ** 2;
      if (away < least) { best = place; least = away; }
    }
    return best;
  }

  // Places of all points that fit and are in view.
  inView() {
    const { xs, ys, fits } = this, { width, height, side, left, top } = this.view, places = [];
    for (let place = 0; place < xs.length; place += 1) {
      const x = xs[place] * side + left, y = ys[place] * side + top;
      if (fits[place] && x >= 0 && y >= 0 && x <= width && y <= height) places.push(place);
    }
    return places;
  }

  // The nearest point in the direction of an arrow, from the one that is pointed at.
  beyond(key) {
    const { xs, ys } = this, { width, height, side, left, top } = this.view;
    if (this.under < 0 || !this.fits[this.under]) return this.nearest(width / 2, height / 2, Infinity);
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    const [x, y] = this.spot(this.under);
    let [best, least] = [this.under, Infinity];
    for (let place = 0; place < xs.length; place += 1) {
      if (!this.fits[place] || place === this.under) continue;
      const across = xs[place] * side + left - x, down = ys[place] * side + top - y;
      const along = across * dx + down * dy, aside = Math.abs(across * dy) + Math.abs(down * dx);
      // What is more beside than ahead is for another arrow.
      if (along > 0 && aside <= along && along + 2 * aside < least) [best, least] = [place, along + 2 * aside];
    }
    return best;
  }

  point(place, event = null) {
    this.under = place;
    this.on.over(place, event);
  }

  // Brings a point into view.
  follow(place) {
    const { clientWidth: width, clientHeight: height } = this.canvas, [x, y] = this.spot(place);
    if (x < 30 || y < 30 || x > width - 30 || y > height - 30) this.shift(width / 2 - x, height / 2 - y);
  }

  scaleAt(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const { clientWidth, clientHeight } = this.canvas, before = this.side;
    this.scale = Math.min(MOST, Math.max(1, this.scale * factor));
    this.x += (x - clientWidth / 2) * (1 / before - 1 / this.side);
    this.y += (y - clientHeight / 2) * (1 / before - 1 / this.side);
    if (this.scale === 1) this.x = this.y = 0.5;
    this.draw();
  }

  shift(right, down) {
    this.x = Math.min(1, Math.max(0, this.x - right / this.side));
    this.y = Math.min(1, Math.max(0, this.y - down / this.side));
    this.draw();
  }

  // Whether a key means something to the view; with Shift, arrows move it.
  viewKey(key, shiftKey) {
    const arrow = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
    if (key === "+" || key === "=") this.scaleAt(STEP);
    else if (key === "-") this.scaleAt(1 / STEP);
    else if (key === "0") this.scaleAt(0);
    else if (shiftKey && arrow) this.shift(arrow[0] * ALONG * this.canvas.clientWidth, arrow[1] * ALONG * this.canvas.clientHeight);
    else return false;
    return true;
  }

  wheel(event) {
    event.preventDefault();
    if (event.shiftKey) this.shift(-(event.deltaX || event.deltaY), 0);
    else this.scaleAt(Math.exp(-event.deltaY * (event.ctrlKey ? 0.012 : 0.0022)), event.offsetX, event.offsetY);
  }

  press(event) {
    this.fingers.set(event.pointerId, event);
    this.canvas.setPointerCapture(event.pointerId);
    this.began = event;
    if (this.fingers.size > 1) this.endLasso(null);
    else if (event.button === 0 && (this.tool === "lasso" || event.shiftKey)) this.path = [[event.offsetX, event.offsetY]];
  }

  move(event) {
    const before = [...this.fingers.values()];
    if (!this.fingers.has(event.pointerId)) {
      this.point(this.nearest(event.offsetX, event.offsetY), event);
      return;
    }
    this.fingers.set(event.pointerId, event);
    const now = [...this.fingers.values()];
    if (before.length === 2) {
      const [old, present] = [before, now].map(([a, b]) => ({
        x: (a.offsetX + b.offsetX) / 2, y: (a.offsetY + b.offsetY) / 2,
        apart: Math.hypot(a.offsetX - b.offsetX, a.offsetY - b.offsetY),
      }));
      this.shift(present.x - old.x, present.y - old.y);
      this.scaleAt(present.apart / Math.max(1, old.apart), present.x, present.y);
    } else if (this.path) {
      const [x, y] = this.path.at(-1);
      if (Math.hypot(event.offsetX - x, event.offsetY - y) < APART) return;
      this.path.push([event.offsetX, event.offsetY]);
      this.outline.setAttribute("d", `M${this.path.join("L")}Z`);
    } else this.shift(event.offsetX - before[0].offsetX, event.offsetY - before[0].offsetY);
  }

  release(event) {
    const alone = this.fingers.size === 1, began = this.began;
    if (!this.fingers.delete(event.pointerId)) return;
    const still = began && Math.hypot(event.offsetX - began.offsetX, event.offsetY - began.offsetY) < APART;
    if (event.type === "pointerup" && alone && still) {
      this.endLasso(null);
      const place = this.nearest(event.offsetX, event.offsetY);
      this.point(place, event);
      if (place >= 0 && event.button === 0) this.on.open(place, event);
    } else if (this.path) this.endLasso(event.type === "pointerup" ? event : null);
  }

  endLasso(event) {
    const { path } = this;
    this.path = null;
    this.outline.setAttribute("d", "");
    if (event && path.length > 2) this.on.lasso(this.within(path), event);
  }

  // Points that fit and lie in a polygon, by the number of its sides to their right.
  within(path) {
    const xs = path.map(([x]) => x), ys = path.map(([, y]) => y), places = [], { side, left, top } = this.view;
    const [least, most, highest, lowest] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    for (let place = 0; place < this.xs.length; place += 1) {
      const x = this.xs[place] * side + left, y = this.ys[place] * side + top;
      if (!this.fits[place] || x < least || x > most || y < highest || y > lowest) continue;
      let odd = false;
      for (let at = 0, last = path.length - 1; at < path.length; last = at, at += 1) {
        const crosses = (ys[at] > y) !== (ys[last] > y);
        if (crosses && x < xs[at] + ((y - ys[at]) / (ys[last] - ys[at])) * (xs[last] - xs[at])) odd = !odd;
      }
      if (odd) places.push(place);
    }
    return places;
  }
}

const discs = new Map(); // by radius

// Pixels of a disc around its middle, and how much of each it covers, of 256.
function disc(wanted) {
  const radius = Math.round(wanted * 4) / 4, known = discs.get(radius);
  if (known) return known;
  const reach = Math.ceil(radius), offsets = [], covers = [];
  for (let row = -reach; row <= reach; row += 1) for (let column = -reach; column <= reach; column += 1) {
    const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(row, column)));
    if (!cover) continue;
    offsets.push(column, row);
    covers.push(Math.round(256 * cover));
  }
  const made = { offsets: Int16Array.from(offsets), covers: Uint16Array.from(covers), reach };
  discs.set(radius, made);
  return made;
}

// One colour over another, by `cover` of 256; the canvas may let through what is behind it.
function over(below, above, cover) {
  const under = below >>> 24;
  // Nearly all pixels are empty or full: these two need no division, and two channels at a time.
  if (under === 0) return ((cover << 24) | (above & 0xffffff)) >>> 0;
  if (under === 255) {
    const pair = ((above & 0xff00ff) * cover + (below & 0xff00ff) * (256 - cover)) >>> 8;
    const green = ((above & 0xff00) * cover + (below & 0xff00) * (256 - cover)) >>> 8;
    return (0xff000000 | (pair & 0xff00ff) | (green & 0xff00)) >>> 0;
  }
  const rest = (under * (255 - cover)) / 255, alpha = cover + rest;
  const mix = (shift) => Math.round((((above >>> shift) & 255) * cover + ((below >>> shift) & 255) * rest) / alpha) << shift;
  return ((Math.round(alpha) << 24) | mix(16) | mix(8) | mix(0)) >>> 0;
}
