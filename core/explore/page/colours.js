// Viridis (van der Walt & Smith 2015), at nine places: even steps look even, also to the colour-blind and in grey.
const places = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];

/** Colours of 256 steps, red, green and blue one after another. */
export const steps = new Uint8Array(768);
for (let i = 0; i < 256; i++) {
  const at = i / 255 * (places.length - 1), low = Math.min(places.length - 2, Math.floor(at));
  for (let part = 0; part < 3; part++) steps[3 * i + part] = Math.round(places[low][part] + (at - low) * (places[low + 1][part] - places[low][part]));
}

/** How opaque a pixel is by the number of points at it; as with the last for more. */
export const opacities = new Float32Array(16).map((_, count) => 1 - 0.35 ** count);

/** @param {number} share from 0 to 1 */
export function css(share) {
  const i = 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
  return `rgb(${steps[i]} ${steps[i + 1]} ${steps[i + 2]})`;
}

/**
 * A number with about four digits; a text as it is.
 * @param {number | string | null | undefined} value
 */
export function short(value) {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  return String(Number(value.toPrecision(5)));
}
