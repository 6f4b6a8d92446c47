// What is known of one galaxy: image, spectrum, labels, neighbours.
import { get, measurement, reconstruction } from './api.js';
import { short } from './colours.js';
import { drawImage, drawSpectrum } from './pictures.js';
import { loadPictures } from './thumbnails.js';

const neighboursShown = 8;

/** @param {string} name @param {Record<string, string>} [attributes] @param {(Node | string)[]} children */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** @param {string} text @param {number} low @param {number} high @param {number} value @param {(value: number) => void} use */
function slider(text, low, high, value, use) {
  const input = /** @type {HTMLInputElement} */ (element('input', { type: 'range', min: String(low), max: String(high), step: 'any', value: String(value) }));
  input.addEventListener('input', () => use(Number(input.value)));
  return element('label', {}, text + ' ', input);
}

/**
 * How much of a spectrum's variance another explains.
 * @param {Float32Array} values @param {Float32Array} predicted
 */
function explained(values, predicted) {
  let count = 0, sum = 0, squares = 0, missed = 0;
  values.forEach((value, i) => {
    if (!Number.isFinite(value) || !Number.isFinite(predicted[i])) return;
    count++;
    sum += value;
    squares += value * value;
    missed += (value - predicted[i]) ** 2;
  });
  return 1 - missed / (squares - sum * sum / count);
}

/** @param {string} noun */
export function plural(noun) { return noun.endsWith('spectrum') ? noun.slice(0, -2) + 'a' : noun + 's'; }

export class Panel {
  /** @param {HTMLElement} place @param {{encoders: {name: string, width: number}[], reconstructs: string[]}} state @param {(row: number) => void} choose @param {(text: string) => void} announce */
  constructor(place, state, choose, announce) {
    this.place = place;
    this.state = state;
    this.choose = choose;
    this.announce = announce;
    this.asked = 0;
  }

  /** @param {import('./api.js').Which} which @returns {Promise<any>} what the server says of it, or nothing if another was asked for since */
  async show(which) {
    const asked = ++this.asked, object = await get('object', which);
    if (asked !== this.asked) return undefined;
    const views = element('div', { class: 'views' });
    this.place.replaceChildren(element('h2', {}, 'Galaxy ' + object.id), views, ...this.predictions(object), this.labels(object));
    if (object.placed_by) this.place.append(element('p', { class: 'soft' }, `Uploaded; placed on the maps by its ${object.placed_by} nearest. `, ...object.notes.map((/** @type {string} */ note) => note + '. ')));
    this.announce(`galaxy ${object.id}`);
    const several = new Set(object.measured.map((/** @type {{kind: string}} */ { kind }) => kind)).size < object.measured.length;
    const drawn = object.measured.map((/** @type {{field: string, kind: string}} */ { field, kind }) => {
      const place = element('div', kind === 'image' ? {} : { class: 'wide' });
      if (several) place.append(element('h3', {}, field));
      views.append(place);
      return kind === 'image' ? this.image(which, field, place) : this.spectrum(which, field, object, place);
    });
    await Promise.all([...drawn, this.neighbours(which, object, asked)]);
    return object;
  }

  /** @param {{own?: number, labels: {name: string, unit: string, meaning: string, value: number | string | null}[]}} object */
  labels(object) {
    if (!object.labels.length) return element('p', { class: 'soft' }, object.own ? 'No labels.' : 'No labels: name files of the objects with --data.');
    const body = element('tbody');
    const known = object.labels.filter(({ value }) => value !== null);
    for (const { name, unit, meaning, value } of known) body.append(element('tr', {}, element('th', { scope: 'row', title: meaning }, name), element('td', {}, short(value)), element('td', {}, unit)));
    return element('details', { open: '' }, element('summary', {}, known.length < object.labels.length ? `Labels (${object.labels.length - known.length} are not known)` : 'Labels'), element('div', { class: 'labels', tabindex: '0', role: 'region', 'aria-label': 'Labels' }, element('table', {}, body)));
  }

  /**
   * What the run's tasks predict of it, with errors.
   * @param {{predictions: {property: string, from: string, method: string, value: number, error: number | null, error_of: number, residual: number | null}[]}} object
   */
  predictions(object) {
    if (!object.predictions.length) return [];
    const cell = (/** @type {string} */ text, title = '') => element('td', title ? { title } : {}, text);
    const body = element('tbody');
    for (const { property, from, method, value, error, error_of, residual } of object.predictions) {
      const meaning = error_of ? `1.48 times the median deviation of ${error_of} objects` : 'half the interval from 16 % to 84 % of the posterior';
      body.append(element('tr', {}, element('th', { scope: 'row' }, property), element('td', {}, `${from}, ${method}`),
        cell(error === null ? short(value) : `${short(value)} ± ${short(Number(error.toPrecision(2)))}`, error === null ? '' : '±: ' + meaning), cell(short(residual))));
    }
    const head = element('tr', {}, ...['property', 'from, by', 'prediction', 'minus true'].map(text => element('th', { scope: 'col' }, text)));
    return [element('details', { open: '' }, element('summary', {}, 'Predictions'),
      element('div', { class: 'labels', tabindex: '0', role: 'region', 'aria-label': 'Predictions' }, element('table', {}, element('thead', {}, head), body)),
      element('p', { class: 'soft' }, '±: of a posterior half its interval from 16 % to 84 %, else the scatter of all objects predicted alike (1.48 times the median deviation).'))];
  }

  /** @param {import('./api.js').Which} which @param {string} field @param {HTMLElement} place */
  async image(which, field, place) {
    const image = await measurement(which, field);
    const canvas = /** @type {HTMLCanvasElement} */ (element('canvas', { class: 'image', role: 'img', 'aria-label': `${field} in ${image.bands.join(', ') || image.shape[0] + ' bands'}` }));
    const stretch = { brightness: 1, softening: image.softening }, redraw = () => drawImage(canvas, image, stretch);
    place.append(canvas, element('div', { class: 'stretch' },
      slider('brightness', -2, 2, 0, value => { stretch.brightness = 10 ** value; redraw(); }),
      slider('softening', 0, 3, Math.log10(image.softening), value => { stretch.softening = 10 ** value; redraw(); })));
    redraw();
  }

  /** @param {import('./api.js').Which} which @param {string} field @param {{redshift: number | null}} object @param {HTMLElement} place */
  async spectrum(which, field, object, place) {
    const spectrum = await measurement(which, field);
    const canvas = /** @type {HTMLCanvasElement} */ (element('canvas', { class: 'spectrum', role: 'img', 'aria-label': field + (object.redshift === null ? '' : ` at redshift ${short(object.redshift)}`) }));
    const how = { redshift: object.redshift, rest: false, smoothing: 5, reconstruction: /** @type {Float32Array | null} */ (null) }, redraw = () => drawSpectrum(canvas, spectrum, how);
    const rest = /** @type {HTMLInputElement} */ (element('input', { type: 'checkbox' }));
    rest.addEventListener('change', () => { how.rest = rest.checked; redraw(); });
    const tools = element('div', {}, slider('smoothing', 1, 51, how.smoothing, value => { how.smoothing = Math.round(value); redraw(); }));
    if (object.redshift !== null) tools.append(' ', element('label', {}, rest, ' rest wavelengths'));
    place.append(canvas, tools);
    redraw();
    if (!this.state.reconstructs.includes(field)) return;
    const { values } = await reconstruction(which, field), share = explained(spectrum.values, values);
    const drawn = /** @type {HTMLInputElement} */ (element('input', { type: 'checkbox', checked: '' }));
    const choose = () => { how.reconstruction = drawn.checked ? values : null; redraw(); };
    drawn.addEventListener('change', choose);
    tools.append(' ', element('label', {}, drawn, ' reconstruction'));
    tools.after(element('p', { class: 'soft' }, `Orange: each part as the model predicts it from the rest; it explains ${share > 0 ? Math.round(100 * share) + ' %' : 'none'} of the variance of all pixels.`));
    canvas.setAttribute('aria-label', `${canvas.getAttribute('aria-label')}, with the model's reconstruction`);
    choose();
  }

  /**
   * In every direction, each once its part of the objects is looked through.
   * @param {import('./api.js').Which} which @param {{encoders: string[]}} object @param {number} asked
   */
  async neighbours(which, object, asked) {
    const widths = new Map(this.state.encoders.map(({ name, width }) => [name, width])), sections = new Map();
    for (const query of object.encoders) for (const { name: among, width } of this.state.encoders) {
      if (width !== widths.get(query)) continue;
      const section = element('section', {}, element('h3', {}, query === among ? `Nearest by ${query}` : `Nearest ${plural(among)} to this ${query}`));
      sections.set(query + ' ' + among, section);
      this.place.append(section);
    }
    for (const { name: among } of this.state.encoders) {
      if (!object.encoders.some(query => sections.has(query + ' ' + among))) continue;
      /** @type {Record<string, {row: number, id: string, cosine: number}[]>} */
      const nearest = {};
      for (let part = 0, parts = 1; part < parts; part++) {
        const found = await get('neighbours', { ...which, among, k: neighboursShown, part });
        if (asked !== this.asked) return;
        parts = found.parts;
        for (const [query, more] of Object.entries(found.neighbours)) {
          const section = sections.get(query + ' ' + among);
          if (!section) continue;
          nearest[query] = [...nearest[query] ?? [], ...more].sort((a, b) => b.cosine - a.cosine || a.row - b.row).slice(0, neighboursShown);
          const heading = section.firstChild, rest = parts - part - 1;
          section.replaceChildren(heading, this.strip(heading.textContent, nearest[query], among), ...rest ? [element('p', { class: 'soft' }, `${Math.round(100 * (part + 1) / parts)} % of the objects looked through`)] : []);
        }
      }
    }
  }

  /**
   * Neighbours as buttons; arrow keys walk along them.
   * @param {string} heading @param {{row: number, id: string, cosine: number}[]} neighbours @param {string} among
   */
  strip(heading, neighbours, among) {
    const strip = element('div', { class: 'strip', role: 'group', 'aria-label': heading });
    for (const { row, id, cosine } of neighbours) {
      const canvas = /** @type {HTMLCanvasElement} */ (element('canvas', { 'aria-hidden': 'true' }));
      const button = element('button', { type: 'button', title: `${id}, cosine ${cosine.toFixed(4)}`, 'aria-label': `galaxy ${id}, cosine ${cosine.toFixed(3)}` }, canvas, cosine.toFixed(3));
      button.addEventListener('click', () => this.choose(row));
      strip.append(button);
    }
    loadPictures(neighbours.map(({ row }) => row), among).then(pictures => pictures.forEach((picture, i) => {
      if (!picture) return;
      const canvas = /** @type {HTMLCanvasElement} */ (strip.children[i].firstChild);
      canvas.width = canvas.height = picture.width;
      /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).drawImage(picture, 0, 0);
    }), () => {});
    strip.addEventListener('keydown', event => {
      const buttons = /** @type {HTMLButtonElement[]} */ ([...strip.children]), at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
      const next = event.key === 'ArrowRight' ? at + 1 : event.key === 'ArrowLeft' ? at - 1 : -1;
      if (at < 0 || !buttons[next]) return;
      buttons[next].focus();
      event.preventDefault();
    });
    return strip;
  }
}
