// Images and spectra on canvases.

/**
 * @typedef {{shape: number[], unit: string, bands: string[], channels: [number, number][], offset: number, softening: number, values: Float32Array}} ImageData3
 *   channels: band and scale of red, green and blue
 * @typedef {{values: Float32Array, unit: string, first_wavelength: number, wavelength_step: number}} Spectrum
 */

/**
 * Draws an image as RGB by an arcsinh stretch that keeps colours.
 * @param {HTMLCanvasElement} canvas @param {ImageData3} image @param {{brightness: number, softening: number}} stretch
 */
export function drawImage(canvas, image, stretch) {
  const [, height, width] = image.shape, size = width * height;
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')), pixels = context.createImageData(width, height);
  for (let i = 0; i < size; i++) {
    let intensity = 0;
    const scaled = image.channels.map(([band, scale]) => stretch.brightness * scale * image.values[band * size + i] + image.offset);
    for (const value of scaled) intensity += Math.max(0, value) / 3;
    const factor = Math.asinh(stretch.softening * intensity) / Math.sqrt(stretch.softening) / (intensity || 1e-6);
    const at = 4 * ((height - 1 - Math.floor(i / width)) * width + i % width);  // the first row is the lowest
    for (let part = 0; part < 3; part++) pixels.data[at + part] = 255 * scaled[part] * factor;
    pixels.data[at + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}

/**
 * A small picture.
 * @param {import('./api.js').Thumbnail} thumbnail @param {string} line its colour, of spectra
 */
export function thumbnailCanvas({ isImage, side, values }, line) {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = side;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  if (!isImage) {
    context.strokeStyle = line;
    context.beginPath();
    values.forEach((value, x) => context.lineTo(x + 0.5, side - 2 - value / 255 * (side - 4)));
    context.stroke();
    return canvas;
  }
  const pixels = context.createImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    const at = 4 * ((side - 1 - Math.floor(i / side)) * side + i % side);
    for (let part = 0; part < 3; part++) pixels.data[at + part] = values[3 * i + part];
    pixels.data[at + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * Vacuum wavelengths in Å.
 * @type {[string, number][]}
 */
const lines = [['Lyα', 1215.67], ['C IV', 1549.5], ['Mg II', 2799.1], ['[O II]', 3728.5], ['K', 3934.8], ['H', 3969.6], ['G', 4305.6], ['Hβ', 4862.7], ['[O III]', 5008.2], ['Mg b', 5176.6], ['Na D', 5895.6], ['Hα', 6564.6], ['[S II]', 6725.5]];

/** @param {number} low @param {number} high @param {number} about */
function ticks(low, high, about) {
  const raw = (high - low) / about, power = 10 ** Math.floor(Math.log10(raw)), step = power * ([1, 2, 5, 10].find(one => one * power >= raw) ?? 10);
  const all = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) all.push(Number(value.toPrecision(8)));
  return all;
}

/**
 * @param {HTMLCanvasElement} canvas @param {Spectrum} spectrum
 * @param {{redshift: number | null, rest: boolean, smoothing: number, reconstruction: Float32Array | null}} how smoothing in pixels
 */
export function drawSpectrum(canvas, spectrum, how) {
  const ratio = Math.min(2, devicePixelRatio), width = canvas.width = Math.round(canvas.clientWidth * ratio), height = canvas.height = Math.round(canvas.clientHeight * ratio);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')), style = getComputedStyle(canvas);
  const stretch = how.rest && how.redshift !== null ? 1 / (1 + how.redshift) : 1;
  const flux = smoothed(spectrum.values, how.smoothing), first = spectrum.first_wavelength * stretch, step = spectrum.wavelength_step * stretch;
  const last = first + step * (flux.length - 1), ordered = Array.from(flux).filter(Number.isFinite).sort((a, b) => a - b);
  if (!ordered.length) return;
  const low = Math.min(0, ordered[Math.floor(0.003 * ordered.length)]), high = ordered[Math.floor(0.997 * (ordered.length - 1))] * 1.15 || 1;
  const box = { left: 52 * ratio, right: width - 6 * ratio, top: 18 * ratio, bottom: height - 32 * ratio };
  const xOf = (/** @type {number} */ wave) => box.left + (wave - first) / (last - first) * (box.right - box.left);
  const yOf = (/** @type {number} */ value) => box.bottom - (value - low) / (high - low) * (box.bottom - box.top);
  context.font = `${11 * ratio}px system-ui, sans-serif`;
  context.fillStyle = context.strokeStyle = style.getPropertyValue('--soft');
  context.textAlign = 'center';
  for (const wave of ticks(first, last, 7)) { context.fillText(String(wave), xOf(wave), height - 18 * ratio); context.fillRect(xOf(wave), box.bottom, ratio, 4 * ratio); }
  context.fillText((stretch === 1 ? 'observed' : 'rest-frame') + ' wavelength (Å)', (box.left + box.right) / 2, height - 4 * ratio);
  context.textAlign = 'right';
  for (const value of ticks(low, high, 4)) { context.fillText(String(value), box.left - 6 * ratio, yOf(value) + 4 * ratio); context.fillRect(box.left - 4 * ratio, yOf(value), 4 * ratio, ratio); }
  context.strokeRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  if (how.redshift !== null) {
    context.textAlign = 'center';
    context.setLineDash([3 * ratio, 3 * ratio]);
    let lastLabel = -Infinity;
    for (const [name, rest] of lines) {
      const wave = rest * (how.rest ? 1 : 1 + how.redshift);
      if (wave <= first || wave >= last) continue;
      context.beginPath();
      context.moveTo(xOf(wave), box.top);
      context.lineTo(xOf(wave), box.bottom);
      context.stroke();
      if (xOf(wave) - lastLabel < 24 * ratio) continue;
      context.fillText(name, xOf(wave), box.top - 5 * ratio);
      lastLabel = xOf(wave);
    }
    context.setLineDash([]);
  }
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  context.clip();
  context.lineWidth = ratio;
  const line = (/** @type {Float32Array} */ values, /** @type {string} */ colour) => {
    context.strokeStyle = style.getPropertyValue(colour);
    context.beginPath();
    for (let i = 0; i < values.length; i++) context.lineTo(xOf(first + step * i), yOf(values[i]));
    context.stroke();
  };
  line(flux, '--text');
  if (how.reconstruction) line(smoothed(how.reconstruction, how.smoothing), '--mark');
  context.restore();
}

/**
 * A running mean.
 * @param {Float32Array} values @param {number} size
 */
function smoothed(values, size) {
  if (size <= 1) return values;
  const result = new Float32Array(values.length), half = size >> 1;
  for (let i = 0; i < values.length; i++) {
    let sum = 0, count = 0;
    for (let j = Math.max(0, i - half); j <= Math.min(values.length - 1, i + half); j++) if (Number.isFinite(values[j])) { sum += values[j]; count++; }
    result[i] = count ? sum / count : NaN;
  }
  return result;
}

/**
 * Counts as bars, those of a selection within them.
 * @param {HTMLCanvasElement} canvas @param {number[]} counts @param {number[] | undefined} selected @param {(share: number) => string} colour
 */
export function drawHistogram(canvas, counts, selected, colour) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')), most = Math.max(...counts, 1), width = canvas.width / counts.length;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const bar = (/** @type {number} */ i, /** @type {number} */ count, /** @type {string} */ fill) => {
    const height = canvas.height * count / most;
    context.fillStyle = fill;
    context.fillRect(i * width, canvas.height - height, width - 1, height);
  };
  counts.forEach((count, i) => bar(i, count, selected ? '#8886' : colour(i / (counts.length - 1))));
  selected?.forEach((count, i) => bar(i, count, colour(i / (counts.length - 1))));
}
