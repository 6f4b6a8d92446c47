// What the server answers. Addresses are relative, so that the token of the page's address stays in front of them.

/** @param {string} name @param {Record<string, string | number>} [query] */
function address(name, query) {
  const text = query ? '?' + new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)])) : '';
  return 'api/' + name + text;
}

/** @param {Response} response */
async function checked(response) {
  if (response.ok) return response;
  let reason = response.statusText;
  try { reason = (await response.json()).error; } catch { /* no JSON: the status tells enough */ }
  throw new Error(reason);
}

/** @param {string} name @param {Record<string, string | number>} [query] @returns {Promise<any>} */
export async function get(name, query) { return (await checked(await fetch(address(name, query)))).json(); }

/** @param {string} name @param {Record<string, string | number>} query */
export async function bytes(name, query) { return (await checked(await fetch(address(name, query)))).arrayBuffer(); }

/** @param {string} name @param {object} body @returns {Promise<any>} */
export async function post(name, body) {
  return (await checked(await fetch(address(name), { method: 'POST', body: JSON.stringify(body) }))).json();
}

/**
 * Sends FITS files, to be embedded.
 * @param {File | undefined} image @param {File | undefined} spectrum @returns {Promise<any>}
 */
export async function upload(image, spectrum) {
  const files = /** @type {File[]} */ ([image, spectrum].filter(Boolean));
  return (await checked(await fetch(address('own', { image: image?.size ?? 0, spectrum: spectrum?.size ?? 0 }), { method: 'POST', body: new Blob(files) }))).json();
}

export const exportAddress = (/** @type {number} */ selection, /** @type {string} */ format) => address('export.' + format, { selection });

/** @typedef {{row: number} | {own: number}} Which an object, or an uploaded galaxy */

/** @param {string} name @param {Record<string, string | number>} query */
async function withHead(name, query) {
  const all = await bytes(name, query), end = new Uint8Array(all).indexOf(10);
  return { ...JSON.parse(new TextDecoder().decode(all.slice(0, end))), values: new Float32Array(all, end + 1) };
}

/**
 * An image or a spectrum: what the data say of it, and its values.
 * @param {Which} which @param {string} field
 */
export const measurement = (which, field) => withHead('measurement', { ...which, field });
/**
 * A spectrum as the model predicts its parts from the rest.
 * @param {Which} which @param {string} field
 */
export const reconstruction = (which, field) => withHead('reconstruction', { ...which, field });

/** @typedef {{isImage: boolean, side: number, values: Uint8Array}} Thumbnail red, green and blue of pixels, the lowest row first; or the values of a spectrum */

/**
 * @param {number[]} rows @param {string} of @returns {Promise<(Thumbnail | null)[]>}
 */
export async function thumbnails(rows, of) {
  const all = new Uint8Array(await bytes('thumbnails', { rows: rows.join(','), of }));
  let at = 0;
  return rows.map(() => {
    const kind = String.fromCharCode(all[at++]);
    if (kind === '-') return null;
    const side = all[at++], count = kind === 'i' ? 3 * side * side : side;
    at += count;
    return { isImage: kind === 'i', side, values: all.subarray(at - count, at) };
  });
}
