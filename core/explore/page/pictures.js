// Images and spectra on canvases.

/**
 * Scales of the bands of the Legacy Surveys' viewer: Lupton et al. 2004, with its constants.
 * @type {Record<string, number>}
 */
const viewerScales = { g: 6.0, r: 3.4, i: 3.0, z: 2.2 };

/**
 * @typedef {{shape: number[], unit: string, bands: string[], values: Float32Array}} ImageData3
 * @typedef {{values: Float32Array, unit: string, first_wavelength: number, wavelength_step: number}} Spectrum
 */

/**
 * The bands of red, green and blue, and the scale of each.
 * @param {ImageData3} image
 */
function channels(image) {
  const [bands] = image.shape, names = image.bands.length === bands ? image.bands : bands === 3 ? ['g', 'r', 'z'] : [];
  const picks = bands >= 3 ? [bands - 1, bands >> 1, 0] : [bands - 1, bands - 1, 0];
  return picks.map(band => {
    const known = viewerScales[names[band]];
    if (known) return { band, scale: known };
    const size = image.shape[1] * image.shape[2], own = Array.from(image.values.subarray(band * size, (band + 1) * size)).filter(Number.isFinite).sort((a, b) => a - b);
    return { band, scale: 0.3 / (Math.abs(own[Math.floor(0.99 * own.length)]) || 1) };
  });
}

/**
 * Draws an image as RGB by an arcsinh stretch that keeps colours.
 * @param {HTMLCanvasElement} canvas @param {ImageData3} image @param {{brightness: number, softening: number}} stretch
 */
export function drawImage(canvas, image, stretch) {
  const [, height, width] = image.shape, size = width * height, chosen = channels(image);
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')), pixels = context.createImageData(width, height);
  for (let i = 0; i < size; i++) {
    let intensity = 0;
    const scaled = chosen.map(({ band, scale }) => stretch.brightness * scale * image.values[band * size + i] + 0.03);
    for (const value of scaled) intensity += Math.max(0, value) / 3;
    const factor = Math.asinh(stretch.softening * intensity) / Math.sqrt(stretch.softening) / (intensity || 1e-6);
    const at = 4 * ((height - 1 - Math.floor(i / width)) * width + i % width);  // the first row is the lowest
    for (let part = 0; part < 3; part++) pixels.data[at + part] = 255 * scaled[part] * factor;
    pixels.data[at + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
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
 * @param {{redshift: number | null, rest: boolean, smoothing: number}} how smoothing in pixels
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
  context.strokeStyle = style.getPropertyValue('--text');
  context.lineWidth = ratio;
  context.beginPath();
  for (let i = 0; i < flux.length; i++) context.lineTo(xOf(first + step * i), yOf(flux[i]));
  context.stroke();
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
