// Points on a canvas, counted into pixels by the processor.
import { opacities, steps } from './colours.js';

/**
 * @typedef {import('./points.js').PlacedTile} PlacedTile
 * @typedef {import('./points.js').Layer} Layer
 * @typedef {import('./points.js').Range} Range
 */

export class CanvasPoints {
  constructor() {
    this.name = 'canvas';
    this.most = 400000;
  }

  /**
   * Draws layers over one another, in place of what was there.
   * @param {CanvasRenderingContext2D} context @param {PlacedTile[]} tiles @param {Layer[]} layers @param {Range | null} range of colours
   */
  draw(context, tiles, layers, range) {
    const { width, height } = context.canvas, image = context.createImageData(width, height);
    const counts = new Float32Array(width * height), sums = new Float32Array(width * height);
    layers.forEach((layer, i) => {
      if (i > 0) { counts.fill(0); sums.fill(0); }
      for (const tile of tiles) count(tile, layer, range, { counts, sums, width, height });
      paint(image.data, counts, sums, layer.fixed);
    });
    context.putImageData(image, 0, 0);
  }
}

/**
 * Counts points into pixels, and sums their shares of the range of colours.
 * @param {PlacedTile} tile @param {Layer} layer @param {Range | null} range
 * @param {{counts: Float32Array, sums: Float32Array, width: number, height: number}} pixels
 */
function count({ points, left, top, step }, { of, size, selectedOnly }, range, { counts, sums, width, height }) {
  const { x, y, values, selected } = points;
  if (selectedOnly && !selected) return;
  const low = range?.low ?? 0, span = range ? range.high - low || 1 : 1, offsets = disc(size, width), half = size >> 1, high = size - half;
  for (let i = 0; i < x.length; i++) {
    if (selectedOnly && !(/** @type {Uint8Array} */ (selected)[i])) continue;
    const column = Math.floor(left + x[i] * step), row = Math.floor(top - y[i] * step);
    if (column < half || row < half || column >= width - high || row >= height - high) continue;
    let share = 0;
    if (of !== 'all') {
      const value = values ? values[i] : NaN, isThere = value === value;
      if (isThere !== (of === 'with a value')) continue;
      if (isThere) share = Math.min(1, Math.max(0, (value - low) / span));
    }
    const pixel = row * width + column;
    for (const offset of offsets) { counts[pixel + offset]++; sums[pixel + offset] += share; }
  }
}

/** @param {Uint8ClampedArray} data @param {Float32Array} counts @param {Float32Array} sums @param {number[] | null} fixed */
function paint(data, counts, sums, fixed) {
  for (let pixel = 0; pixel < counts.length; pixel++) {
    const count = counts[pixel];
    if (count === 0) continue;
    const alpha = opacities[Math.min(opacities.length - 1, count)], at = 4 * pixel, step = 3 * Math.round(255 * sums[pixel] / count);
    const before = data[at + 3] / 255 * (1 - alpha), all = alpha + before;
    for (let part = 0; part < 3; part++) {
      data[at + part] = ((fixed ? fixed[part] : steps[step + part]) * alpha + data[at + part] * before) / all;
    }
    data[at + 3] = 255 * all;
  }
}

/**
 * Steps from a pixel to those of a disc around it.
 * @param {number} size @param {number} width
 */
function disc(size, width) {
  const offsets = [], middle = (size - 1) / 2, half = size >> 1;
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
    if (size < 4 || (x - middle) ** 2 + (y - middle) ** 2 <= size * size / 4) offsets.push((y - half) * width + x - half);
  }
  return offsets;
}
