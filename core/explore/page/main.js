// The page: what the user chooses, kept in the address, and what follows from it.
import { exportAddress, get, post, upload } from './api.js';
import { css, short } from './colours.js';
import { MapView } from './map_view.js';
import { Panel, element, plural } from './panel.js';
import { drawHistogram } from './pictures.js';
import { Samp } from './samp.js';
import { viewAsPng, viewAsSvg } from './saved_view.js';

const rowsOfTable = 50;
/** @type {<T extends HTMLElement>(id: string) => T} */
const byId = id => /** @type {any} */ (document.getElementById(id));
const mapChoice = /** @type {HTMLSelectElement} */ (byId('map-choice')), colourChoice = /** @type {HTMLSelectElement} */ (byId('colour-choice'));
const drawnBy = readAddress().get('points'), view = new MapView(byId('density'), byId('points'), byId('overlay'), drawnBy);

/** @type {any} */ let state;
/** @type {Panel} */ let panel;
/** @type {Samp} */ let samp;
/** @type {any} */ let details = null;  // of the map that is shown
/** @type {any} */ let shown = null;    // the galaxy in the panel
/** @type {any} */ let column = null;   // that the map is coloured by
let chosenMap = false, first = 0, pictured = 0;
/** @type {number | null} */ let selection = null;

/** @param {string} text */
function announce(text) { byId('announcer').textContent = text; }
/** @param {unknown} error */
function fail(error) { announce(''); byId('work').className = 'error'; byId('work').textContent = error instanceof Error ? error.message : String(error); }
/**
 * Runs what may fail, and says why it did.
 * @param {() => Promise<unknown>} action
 */
function attempt(action) {
  if (byId('work').className) byId('work').className = byId('work').textContent = '';
  action().catch(fail);
}

// The address

function readAddress() { return new URLSearchParams(location.hash.slice(1)); }

/** @type {number | undefined} */ let addressTimer;
function writeAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    const parts = new URLSearchParams();
    if (drawnBy) parts.set('points', drawnBy);
    if (details) parts.set('map', details.id);
    if (colourChoice.value) parts.set('colour', colourChoice.value);
    if (details) parts.set('view', [...view.centre, view.overlay.width / view.scale].map(value => Number(value.toPrecision(6))).join(','));
    if (shown) parts.set(shown.own ? 'own' : 'object', shown.own ?? shown.id);
    if (selection !== null) parts.set('selection', String(selection));
    history.replaceState(null, '', '#' + parts);
  }, 200);
}
view.onMoved = writeAddress;

// The map

async function showMap(/** @type {string} */ id, keepView = false) {
  details = await get('map', { map: id });
  mapChoice.value = id;
  view.show(details);
  if (!keepView) view.whole();
  const percent = (/** @type {number | null} */ value) => value === null ? '–' : value.toFixed(3);
  const isSky = details.method === 'sky', counted = details.objects.toLocaleString('en');
  byId('quality').textContent = isSky ? `The sky, ${counted} objects with positions (Mollweide's equal-area projection, right ascension rising to the left).`
    : `${details.method} of the ${details.encoder} embeddings, ${counted} objects. Trustworthiness (${details.k}) ${percent(details.trustworthiness)}, neighbours kept (${details.k}) ${percent(details.preservation)}, of ${details.sampled} objects at random.`;
  byId('overlay').setAttribute('aria-label', isSky ? `map of ${counted} objects on the sky` : `${details.method} map of ${counted} ${details.encoder} embeddings`);
  placeMark();
  writeAddress();
}

function placeMark() {
  view.mark = shown && details ? shown.positions[details.id] ?? null : null;
  view.drawOverlay();
}

view.onDrawn = (/** @type {number} */ count, /** @type {number} */ pictures) => {
  if (!details) return;
  byId('drawn').textContent = `${count.toLocaleString('en')} of ${details.objects.toLocaleString('en')} objects drawn` + (pictures ? `, ${pictures} as pictures` : '');
  if (pictures && !pictured) announce(`${pictures} galaxies are shown as pictures`);
  pictured = pictures;
};
view.onPicked = (/** @type {number} */ row) => attempt(() => showObject({ row }));
view.onChosen = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ farthest) => attempt(async () => {
  const found = await get('nearest', { map: details.id, x, y, farthest: Math.min(farthest, 10 * details.extent[2]) });
  if (found.row === null) announce('no galaxy here');
  else await showObject({ row: found.row });
});
view.onPolygon = (/** @type {number[][]} */ polygon, /** @type {string} */ kind) => attempt(() => select({ map: details.id, polygon }, `${kind} on ${details.id}`));

function fillMaps() {
  const before = mapChoice.value;
  mapChoice.replaceChildren(...state.maps.map((/** @type {any} */ one) => element('option', { value: one.id }, one.method === 'sky' ? 'Sky' : `${one.method} of ${one.encoder}`)));
  if (before) mapChoice.value = before;
}

// Colours

function fillColours() {
  const before = colourChoice.value;
  colourChoice.replaceChildren(element('option', { value: '' }, 'nothing'), ...state.columns.filter((/** @type {any} */ one) => !one.text).map((/** @type {any} */ one) => element('option', { value: one.name, title: one.meaning }, one.name)));
  colourChoice.value = before;
}

async function setColour(/** @type {string} */ name) {
  colourChoice.value = name;
  byId('column-section').hidden = !name;
  byId('legend').replaceChildren();
  if (!name) {
    column = null;
    view.setColour(null);
    writeAddress();
    return;
  }
  column = await get('column', { name, ...(selection === null ? {} : { selection }) });
  const unit = state.columns.find((/** @type {any} */ one) => one.name === name)?.unit;
  view.setColour({ name, low: column.low, high: column.high });
  const bar = /** @type {HTMLCanvasElement} */ (element('canvas', { width: '120', height: '10' })), context = /** @type {CanvasRenderingContext2D} */ (bar.getContext('2d'));
  for (let x = 0; x < 120; x++) { context.fillStyle = css(x / 119); context.fillRect(x, 0, 1, 10); }
  bar.style.position = 'static';
  bar.style.width = '120px';
  bar.style.height = '10px';
  byId('legend').append(short(column.low), bar, `${short(column.high)} ${name}${unit ? ` (${unit})` : ''}${column.count < details?.objects ? '; grey: not known' : ''}`);
  drawHistogram(byId('histogram'), column.histogram, column.selected, css);
  byId('histogram').setAttribute('aria-label', `histogram of ${name}: ${column.count} values from ${short(column.least)} to ${short(column.greatest)}`);
  /** @type {HTMLInputElement} */ (byId('low')).value = String(Number(column.low.toPrecision(6)));
  /** @type {HTMLInputElement} */ (byId('high')).value = String(Number(column.high.toPrecision(6)));
  announce(`coloured by ${name}`);
  writeAddress();
}

// The view as a picture

/** What the picture is of, in lines. */
function caption() {
  const number = (/** @type {number} */ value) => value.toLocaleString('en'), chosen = state.selections.find((/** @type {any} */ one) => one.id === selection);
  const quality = details.trustworthiness === null ? '' : `, trustworthiness (${details.k}) ${details.trustworthiness.toFixed(3)}, neighbours kept ${details.preservation.toFixed(3)}`;
  const model = state.model_hash ? `model ${state.model} ${state.model_hash}`.replace('  ', ' ') : 'model unknown';
  const unit = column && state.columns.find((/** @type {any} */ one) => one.name === column.name)?.unit;
  return [
    details.method === 'sky' ? `The sky (Mollweide): ${number(view.drawn)} of ${number(details.objects)} objects drawn.`
      : `${details.method} of ${details.encoder} embeddings: ${number(view.drawn)} of ${number(details.objects)} objects drawn${quality}.`,
    `${state.file}, ${number(state.objects)} objects; ${model}.`,
    ...(column ? [`Coloured by ${column.name}${unit ? ` (${unit})` : ''}, from ${short(column.low)} to ${short(column.high)} (percentiles 1 and 99 of ${number(column.count)} values).`] : []),
    ...(chosen ? [`Selected: ${chosen.name}, ${number(chosen.count)} objects.`] : []),
  ];
}

async function saveView(/** @type {string} */ format) {
  const picture = await (format === 'png' ? viewAsPng : viewAsSvg)(view.canvases, caption(), column ? [short(column.low), short(column.high)] : null);
  const link = /** @type {HTMLAnchorElement} */ (element('a', { href: URL.createObjectURL(picture), download: `${details.id.replace('/', '-')}.${format}` }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  announce(`saved as ${link.download}`);
}
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('[data-save]'))) {
  button.addEventListener('click', () => attempt(() => saveView(button.dataset.save ?? 'png')));
}

// One galaxy

/** @param {import('./api.js').Which} which @param {boolean} [isTold] others have told of it, and are not told */
async function showObject(which, isTold = false) {
  const ready = panel.show(which);
  shown = await get('object', which);
  placeMark();
  writeAddress();
  if ('row' in which && !isTold) attempt(() => samp.share('show', which));
  await ready;
}

// Galaxies of the user's own

function fillOwn() {
  byId('own-section').hidden = !state.with_model;
  byId('own-list').replaceChildren(...state.own.map((/** @type {any} */ one) => {
    const open = element('button', { type: 'button' }, one.name);
    open.addEventListener('click', () => attempt(() => showObject({ own: one.id })));
    return element('li', {}, open);
  }));
}

byId('own').addEventListener('submit', event => {
  event.preventDefault();
  const [image, spectrum] = ['own-image', 'own-spectrum'].map(id => /** @type {HTMLInputElement} */ (byId(id)).files?.[0]);
  attempt(async () => {
    if (!image && !spectrum) throw new Error('choose a FITS file with an image or a spectrum');
    announce('embedding');
    const added = await upload(image, spectrum);
    state = await get('state');
    fillOwn();
    await showObject({ own: added.own[0].id });
  });
});

// Search by examples

/** @typedef {import('./api.js').Which & {id: string}} Example */
/** @type {Record<string, Example[]>} */
const examples = { positive: [], negative: [] };

function fillExamples() {
  byId('examples').replaceChildren(...Object.entries(examples).flatMap(([kind, list]) => list.map(one => {
    const remove = element('button', { type: 'button', 'aria-label': `${one.id} is no example` }, `${kind === 'positive' ? '+' : '−'} ${one.id} ×`);
    remove.addEventListener('click', () => { list.splice(list.indexOf(one), 1); fillExamples(); });
    return element('li', {}, remove);
  })));
}

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('[data-example]'))) {
  button.addEventListener('click', () => attempt(async () => {
    if (!shown) throw new Error('show a galaxy first');
    for (const list of Object.values(examples)) {
      const at = list.findIndex(one => one.id === shown.id);
      if (at >= 0) list.splice(at, 1);
    }
    examples[button.dataset.example ?? ''].push({ ...(shown.own ? { own: shown.own } : { row: shown.row }), id: shown.id });
    fillExamples();
    announce(`${shown.id} is a ${button.dataset.example} example`);
  }));
}

byId('similar').addEventListener('submit', event => {
  event.preventDefault();
  attempt(async () => {
    const [query, among] = /** @type {HTMLSelectElement} */ (byId('direction')).value.split(' '), k = Number(/** @type {HTMLInputElement} */ (byId('how-many')).value);
    const plain = (/** @type {Example[]} */ list) => list.map(one => 'own' in one ? { own: one.own } : one.row);
    const { neighbours } = await post('similar', { positive: plain(examples.positive), negative: plain(examples.negative), query, among, k });
    const choose = element('button', { type: 'button' }, 'Select these');
    choose.addEventListener('click', () => attempt(() => select({ rows: neighbours.map((/** @type {any} */ one) => one.row) }, 'like ' + examples.positive.map(one => one.id).join(', ').slice(0, 90))));
    byId('found').replaceChildren(panel.strip('Like the examples', neighbours, among), choose);
    announce(`${neighbours.length} galaxies found`);
  });
});

function fillDirections() {
  byId('direction').replaceChildren(...state.encoders.flatMap((/** @type {any} */ query) => state.encoders.filter((/** @type {any} */ one) => one.width === query.width)
    .map((/** @type {any} */ among) => element('option', { value: `${query.name} ${among.name}` }, query === among ? `by ${query.name}` : `${plural(among.name)} by ${query.name}`))));
}

// Selections

/**
 * Joins rows to the selection that is shown as the list says, or else as `otherwise`.
 * @param {object} rows @param {string} name @param {string} [otherwise]
 */
async function select(rows, name, otherwise = 'new') {
  const chosen = /** @type {HTMLSelectElement} */ (byId('how')).value, how = chosen === 'new' ? otherwise : chosen;
  const made = await post('select', { ...rows, name, ...(how !== 'new' && selection !== null ? { earlier: selection, how } : {}) });
  await setSelection(made.id);
}

/** @param {number | null} id @param {boolean} [isTold] others have told of it, and are not told */
async function setSelection(id, isTold = false) {
  if (id !== null && id !== selection && !isTold) attempt(() => samp.share('select', { selection: id }));
  selection = id;
  state = await get('state');
  if (!state.selections.some((/** @type {any} */ one) => one.id === id)) selection = null;
  view.setSelection(selection);
  fillSelections();
  first = 0;
  if (column) {
    column = await get('column', { name: column.name, ...(selection === null ? {} : { selection }) });
    drawHistogram(byId('histogram'), column.histogram, column.selected, css);
  }
  await fillTable();
  writeAddress();
}

function fillSelections() {
  const list = byId('selections');
  list.replaceChildren();
  if (!state.selections.length) list.append(element('li', { class: 'soft' }, 'None yet: use the lasso, the box, a condition or a range of values.'));
  for (const one of state.selections) {
    const button = (/** @type {string} */ text, /** @type {() => Promise<unknown>} */ action) => {
      const made = element('button', { type: 'button', 'aria-label': `${text} ${one.name}` }, text);
      made.addEventListener('click', () => attempt(action));
      return made;
    };
    const is = one.id === selection, show = button(is ? 'Hide' : 'Show', () => setSelection(is ? null : one.id));
    show.setAttribute('aria-pressed', String(is));
    const name = element('span', { class: 'name' }, `${one.name}: ${one.count.toLocaleString('en')}`);
    const saves = [['csv', 'CSV'], ['fits', 'FITS'], ['vot', 'VOTable']].map(([format, text]) => element('a', { href: exportAddress(one.id, format), download: '', 'aria-label': `${one.name} as ${text}` }, text));
    const item = element('li', {}, show, name, ...saves,
      button('Rename', async () => renaming(one, name)),
      button('Invert', async () => setSelection((await post('select', { selection: one.id, inverse: true, name: 'all but ' + one.name })).id)),
      button('Remove', async () => { await post('forget', { selection: one.id }); await setSelection(is ? null : selection); }));
    if (selection !== null && !is) item.append(button('Join', () => select({ selection: one.id }, ('joined with ' + one.name).slice(0, 100), 'union')));
    list.append(item);
    if (is) announce(`${one.count} objects selected`);
  }
}

/**
 * Puts a field in the place of a selection's name.
 * @param {{id: number, name: string}} one @param {HTMLElement} place
 */
function renaming(one, place) {
  const field = /** @type {HTMLInputElement} */ (element('input', { value: one.name, maxlength: '100', 'aria-label': 'new name of ' + one.name }));
  const form = element('form', { class: 'name' }, field, element('button', {}, 'Name'));
  form.addEventListener('submit', event => {
    event.preventDefault();
    attempt(async () => { await post('rename', { selection: one.id, name: field.value.trim() }); await setSelection(selection); });
  });
  place.replaceWith(form);
  field.select();
}

// The table

async function fillTable() {
  const page = await get('table', { selection: selection ?? 0, first, most: rowsOfTable });
  const name = selection === null ? 'All objects' : state.selections.find((/** @type {any} */ one) => one.id === selection)?.name ?? 'Selection';
  byId('table-title').textContent = name;
  const head = element('tr', {}, element('th', { scope: 'col' }, 'object_id'), ...state.columns.map((/** @type {any} */ one) => element('th', { scope: 'col', title: one.meaning }, one.name + (one.unit ? ` (${one.unit})` : ''))));
  const body = element('tbody');
  for (const { row, id, values } of page.rows) {
    const open = element('button', { type: 'button' }, id);
    open.addEventListener('click', () => attempt(async () => { await showObject({ row }); byId('panel').focus(); }));
    body.append(element('tr', {}, element('td', {}, open), ...values.map((/** @type {number | string | null} */ value) => element('td', {}, short(value)))));
  }
  byId('table-place').replaceChildren(element('table', {}, element('thead', {}, head), body));
  byId('table-rows').textContent = page.total ? `${first + 1} to ${first + page.rows.length} of ${page.total}` : 'no objects';
  /** @type {HTMLButtonElement} */ (byId('previous')).disabled = first === 0;
  /** @type {HTMLButtonElement} */ (byId('next')).disabled = first + page.rows.length >= page.total;
}

// What the user does

mapChoice.addEventListener('change', () => { chosenMap = true; attempt(() => showMap(mapChoice.value)); });
colourChoice.addEventListener('change', () => attempt(() => setColour(colourChoice.value)));
byId('find').addEventListener('submit', event => {
  event.preventDefault();
  const text = /** @type {HTMLInputElement} */ (byId('find-id')).value.trim(), place = /^([\d.]+)(?:\s*,\s*|\s+)([+-]?[\d.]+)$/.exec(text);
  attempt(async () => {
    const found = await get('find', place ? { ra: place[1], dec: place[2] } : { id: text });
    await showObject({ row: found.row });
    if (place) announce(`galaxy ${shown.id}, ${found.separation.toFixed(2)} arcseconds away`);
  });
});
byId('range').addEventListener('submit', event => {
  event.preventDefault();
  const low = Number(/** @type {HTMLInputElement} */ (byId('low')).value), high = Number(/** @type {HTMLInputElement} */ (byId('high')).value);
  attempt(() => select({ column: column.name, low, high }, `${column.name} from ${short(low)} to ${short(high)}`));
});
byId('where').addEventListener('submit', event => {
  event.preventDefault();
  const where = /** @type {HTMLInputElement} */ (byId('condition')).value.trim();
  attempt(() => select({ where }, where.slice(0, 100)));
});

// Values are brushed by dragging over their histogram; its two fields do the same by the keyboard.
{
  const canvas = /** @type {HTMLCanvasElement} */ (byId('histogram'));
  /** @type {number | null} */ let from = null;
  const valueAt = (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect(), share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return column.low + share * (column.high - column.low);
  };
  const brush = (/** @type {PointerEvent} */ event) => {
    const ends = [/** @type {number} */ (from), valueAt(event)].sort((a, b) => a - b), span = column.high - column.low || 1;
    drawHistogram(canvas, column.histogram, column.selected, css);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')), [left, right] = ends.map(value => (value - column.low) / span * canvas.width);
    context.fillStyle = '#8888';
    context.fillRect(left, 0, Math.max(1, right - left), canvas.height);
    for (const [id, value] of /** @type {[string, number][]} */ ([['low', ends[0]], ['high', ends[1]]])) {
      /** @type {HTMLInputElement} */ (byId(id)).value = String(Number(value.toPrecision(6)));
    }
  };
  canvas.addEventListener('pointerdown', event => {
    if (event.button !== 0 || !column) return;
    canvas.setPointerCapture(event.pointerId);
    from = valueAt(event);
  });
  canvas.addEventListener('pointermove', event => { if (from !== null) brush(event); });
  canvas.addEventListener('pointerup', event => {
    if (from === null) return;
    const moved = valueAt(event) !== from;
    if (moved) brush(event);
    from = null;
    if (moved) /** @type {HTMLFormElement} */ (byId('range')).requestSubmit();
  });
  canvas.addEventListener('pointercancel', () => { from = null; drawHistogram(canvas, column.histogram, column.selected, css); });
}
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('[data-tool]'))) {
  button.addEventListener('click', () => {
    view.tool = button.dataset.tool ?? 'pan';
    for (const other of document.querySelectorAll('[data-tool]')) other.setAttribute('aria-pressed', String(other === button));
  });
}
byId('pictures').addEventListener('click', () => {
  view.withPictures = !view.withPictures;
  byId('pictures').setAttribute('aria-pressed', String(view.withPictures));
  view.draw();
});
byId('select-view').addEventListener('click', () => view.selectShown());
byId('whole').addEventListener('click', () => view.whole());
for (const [id, step] of /** @type {[string, number][]} */ ([['previous', -rowsOfTable], ['next', rowsOfTable]])) {
  byId(id).addEventListener('click', () => { first = Math.max(0, first + step); attempt(fillTable); });
}

/** Looks whether another map is ready; shows it unless the user has chosen one. */
async function follow() {
  const known = state.maps.length;
  state = await get('state');
  byId('work').textContent = state.work ? `${state.work}: ${Math.round(100 * state.share)} %` : '';
  if (state.maps.length > known) {
    fillMaps();
    fillColours();
    const better = state.maps.find((/** @type {any} */ one) => one.encoder === details.encoder && one.method === 'UMAP');
    if (better && !chosenMap && details.method === 'PCA') await showMap(better.id);
  }
  if (state.work) setTimeout(() => attempt(follow), 1000);
}

attempt(async () => {
  const from = readAddress();
  state = await get('state');
  document.title = `${state.file} – astroclip explore`;
  byId('title').textContent = `${state.file}: ${state.objects.toLocaleString('en')} objects`;
  byId('title').title = `model ${state.model || 'unknown'} ${state.model_hash}`;
  panel = new Panel(byId('panel'), state, row => attempt(() => showObject({ row })), announce);
  samp = new Samp(attempt, announce, async news => {
    if (news.row !== undefined) await showObject({ row: news.row }, true);
    if (news.selection !== undefined) await setSelection(news.selection, true);
  }, () => selection);
  fillColours();
  fillMaps();
  const wanted = state.maps.find((/** @type {any} */ one) => one.id === from.get('map'));
  chosenMap = Boolean(wanted);
  const best = wanted ?? state.maps.find((/** @type {any} */ one) => one.method === 'UMAP') ?? state.maps[0];
  if (best) await showMap(best.id);
  const parts = (from.get('view') ?? '').split(',').map(Number);
  if (wanted && parts.length === 3 && parts.every(Number.isFinite) && parts[2] > 0) {
    view.centre = parts.slice(0, 2);
    view.scale = view.overlay.width / parts[2];
    view.draw();
  }
  if (state.columns.some((/** @type {any} */ one) => one.name === from.get('colour') && !one.text)) await setColour(from.get('colour') ?? '');
  await setSelection(from.has('selection') ? Number(from.get('selection')) : null);
  fillOwn();
  fillDirections();
  if (from.get('object')) await showObject({ row: (await get('find', { id: from.get('object') ?? '' })).row });
  else if (state.own.some((/** @type {any} */ one) => one.id === Number(from.get('own')))) await showObject({ own: Number(from.get('own')) });
  await follow();
});
