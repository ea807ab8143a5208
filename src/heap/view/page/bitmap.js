// Masks as pixels: a byte for each, row by row, of an image of `size`, [height, width].

const EDGE = 2.2; // pixels of the page that an edge is thick
const SPECK = 0.01; // of the largest part, below which another one is no part by itself

// From COCO's run lengths: outside, inside and so on, column by column.
export function decode(counts, [height, width]) {
  const mask = new Uint8Array(height * width);
  let at = 0;
  counts.forEach((run, place) => {
    for (const end = at + run; at < end; at += 1) {
      mask[(at % height) * width + Math.floor(at / height)] = place % 2;
    }
  });
  return mask;
}

export function encode(mask, [height, width]) {
  const counts = [];
  let inside = 0, run = 0;
  for (let x = 0; x < width; x += 1) {
    for (let at = x; at < mask.length; at += width) {
      if (mask[at] === inside) { run += 1; continue; }
      counts.push(run);
      inside = mask[at];
      run = 1;
    }
  }
  return [...counts, run];
}

export const area = (mask) => mask.reduce((sum, pixel) => sum + pixel, 0);

export const same = (one, other) => one.every((pixel, at) => pixel === other[at]);

// Sets the pixels that a disc covers which moves from one point [x, y] to another.
export function paint(mask, [height, width], [x1, y1], [x2, y2], radius, value) {
  const along = [x2 - x1, y2 - y1], squared = along[0] ** 2 + along[1] ** 2;
  const first = Math.max(0, Math.floor(Math.min(y1, y2) - radius)), last = Math.min(height - 1, Math.ceil(Math.max(y1, y2) + radius));
  const left = Math.max(0, Math.floor(Math.min(x1, x2) - radius)), right = Math.min(width - 1, Math.ceil(Math.max(x1, x2) + radius));
  for (let y = first; y <= last; y += 1) {
    for (let x = left; x <= right; x += 1) {
      const [dx, dy] = [x + 0.5 - x1, y + 0.5 - y1];
      const share = squared ? Math.min(1, Math.max(0, (dx * along[0] + dy * along[1]) / squared)) : 0;
      if ((dx - share * along[0]) ** 2 + (dy - share * along[1]) ** 2 <= radius * radius) mask[y * width + x] = value;
    }
  }
}

// Keeps what is in a box of pixels, or fills the box where the mask is empty.
export function cut(mask, [, width], [left, top, right, bottom]) {
  const empty = !mask.includes(1);
  for (let at = 0; at < mask.length; at += 1) {
    const x = at % width, y = Math.floor(at / width);
    const inside = x >= left && x < right && y >= top && y < bottom;
    mask[at] = Number(inside && (empty || mask[at] === 1));
  }
}

// The connected parts of a mask, the largest first; specks stay with the largest.
export function connectedParts(mask, [, width]) {
  const parts = [], seen = new Uint8Array(mask.length), waiting = [];
  for (let start = 0; start < mask.length; start += 1) {
    if (!mask[start] || seen[start]) continue;
    const part = [];
    waiting.push(start);
    seen[start] = 1;
    while (waiting.length) {
      const at = waiting.pop(), x = at % width;
      part.push(at);
      for (const next of [x ? at - 1 : -1, x < width - 1 ? at + 1 : -1, at - width, at + width]) {
        if (mask[next] && !seen[next]) { seen[next] = 1; waiting.push(next); }
      }
    }
    parts.push(part);
  }
  return gathered(mask, parts);
}

// The parts of a mask in each of some pieces of the image that do not overlap.
export const partsIn = (mask, pieces) => gathered(mask, pieces.map((piece) => {
  const part = [];
  for (let at = 0; at < mask.length; at += 1) if (mask[at] && piece[at]) part.push(at);
  return part;
}));

function gathered(mask, parts) {
  parts.sort((a, b) => b.length - a.length);
  const whole = parts.filter(({ length }) => length && length > SPECK * parts[0].length);
  const left = Uint8Array.from(mask), masks = whole.map((part) => {
    const pixels = new Uint8Array(mask.length);
    for (const at of part) { pixels[at] = 1; left[at] = 0; }
    return pixels;
  });
  if (masks.length) left.forEach((pixel, at) => { masks[0][at] |= pixel; });
  return masks;
}

// Colours the pixels of masks in `shown`, [{ mask, colour: [red, green, blue], fill }], on a canvas:
// the edge is opaque, `fill` is how opaque the rest is, and `veil` how dark what is outside of all.
export function draw(canvas, shown, veil) {
  const { width, height } = canvas, context = canvas.getContext("2d");
  const image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  const colour = ([red, green, blue], opacity) => ((Math.round(255 * opacity) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  if (veil) pixels.fill(colour([0, 0, 0], veil));
  const thick = Math.max(1, Math.round((EDGE * width) / canvas.clientWidth));
  for (const { mask, colour: ink, fill } of shown) {
    const edge = colour(ink, 1), inner = colour(ink, fill);
    for (let at = 0; at < mask.length; at += 1) {
      if (!mask[at]) continue;
      const x = at % width;
      const within = x >= thick && x < width - thick && mask[at - thick] && mask[at + thick]
        && mask[at - thick * width] && mask[at + thick * width];
      pixels[at] = within ? inner : edge;
    }
  }
  context.putImageData(image, 0, 0);
}
