// Small pictures of objects, asked for many at a time; the latest are kept.
import { thumbnails } from './api.js';
import { thumbnailCanvas } from './pictures.js';

const mostKept = 500, atOnce = 64;
/** @type {Map<string, HTMLCanvasElement | null>} */
const kept = new Map();
let isLoading = false;

const isDark = () => matchMedia('(prefers-color-scheme: dark)').matches;
const keyOf = (/** @type {number} */ row, /** @type {string} */ of) => `${row} ${of} ${isDark()}`;

/**
 * Pictures of these rows, null where an object has none.
 * @param {number[]} rows @param {string} of the field to see, where they have it
 */
export async function loadPictures(rows, of) {
  const missing = rows.filter(row => !kept.has(keyOf(row, of)));
  for (let begin = 0; begin < missing.length; begin += atOnce) {
    const some = missing.slice(begin, begin + atOnce);
    (await thumbnails(some, of)).forEach((one, i) => kept.set(keyOf(some[i], of), one && thumbnailCanvas(one, isDark() ? '#e6e9ed' : '#1b1f24')));
  }
  const all = rows.map(row => kept.get(keyOf(row, of)) ?? null);
  for (const key of kept.keys()) { if (kept.size <= mostKept) break; kept.delete(key); }
  return all;
}

/**
 * The pictures that are there; the others are asked for, and `then` is called when they have come.
 * @param {number[]} rows @param {string} of @param {() => void} then
 */
export function picturesNow(rows, of, then) {
  if (!isLoading && rows.some(row => !kept.has(keyOf(row, of)))) {
    isLoading = true;
    loadPictures(rows, of).then(() => { isLoading = false; then(); }, () => { isLoading = false; });
  }
  return rows.map(row => kept.get(keyOf(row, of)) ?? null);
}
