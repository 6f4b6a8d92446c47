// The map: which tiles of points are shown, with pictures, marks and outlines over them.
import { bytes } from './api.js';
import { css } from './colours.js';
import { Budget, makePoints } from './points.js';
import { picturesNow } from './thumbnails.js';

const mostDensityCells = 256, loadsAtOnce = 4;
const mostInView = 300, mostPictures = 60, pictureSide = 52, gap = 4;  // pixels of the page

/**
 * @typedef {{level: number, x: number, y: number, count: number}} Tile
 * @typedef {{row: number, x: number, y: number, frame: string}} Pictured in device pixels
 * @typedef {{id: string, encoder: string, extent: number[], cells: number, objects: number, tiles: number[][]}} Details
 * @typedef {import('./points.js').Points} Points
 * @typedef {import('./points.js').PlacedTile} PlacedTile
 * @typedef {import('./points.js').Layer} Layer
 */

export class MapView {
  /**
   * @param {HTMLCanvasElement} density @param {HTMLCanvasElement} points @param {HTMLCanvasElement} overlay
   * @param {string | null} drawnBy "webgl" or "canvas", else what is faster here
   */
  constructor(density, points, overlay, drawnBy) {
    this.canvases = [density, points, overlay];
    this.painter = makePoints(drawnBy, () => this.drawBy(makePoints('canvas', () => {})));
    this.budget = new Budget(this.painter.most);
    this.overlay = overlay;
    /** @type {Details | null} */ this.details = null;
    /** @type {Tile[]} */ this.tiles = [];
    /** @type {Map<number, Points>} */ this.loaded = new Map();
    /** @type {Map<string, HTMLCanvasElement | null>} */ this.densities = new Map();
    /** @type {number[]} */ this.wanted = [];
    this.loading = 0;
    this.drawn = 0;  // objects
    this.centre = [0, 0];
    this.scale = 1;  // device pixels of a unit of the map
    /** @type {{name: string, low: number, high: number} | null} */ this.colour = null;
    /** @type {number | null} */ this.selection = null;
    /** @type {number[][]} */ this.outline = [];  // of a lasso that is being drawn, in units of the map
    /** @type {number[] | null} */ this.mark = null;  // of the galaxy that is shown
    this.epoch = 0;  // grows when what was asked for is no longer wanted
    this.tool = 'pan';
    this.withPictures = true;  // in place of points where few are in view
    /** @type {Pictured[]} */ this.pictured = [];
    this.onDrawn = (/** @type {number} */ _count, /** @type {number} */ _pictures) => {};
    this.onPicked = (/** @type {number} */ _row) => {};
    this.onChosen = (/** @type {number} */ _x, /** @type {number} */ _y, /** @type {number} */ _farthest) => {};
    this.onPolygon = (/** @type {number[][]} */ _polygon, /** @type {string} */ _kind) => {};
    this.onMoved = () => {};
    this.isDue = false;
    new ResizeObserver(() => this.resize()).observe(overlay);
    this.listen();
    this.drawBy(this.painter);
  }

  /** @param {import('./canvas_points.js').CanvasPoints | import('./webgl_points.js').WebglPoints} painter of the points */
  drawBy(painter) {
    this.painter = painter;
    this.budget = new Budget(painter.most);
    this.canvases[1].dataset.by = painter.name;
    this.draw();
  }

  /** @param {Details} details */
  show(details) {
    this.details = details;
    this.tiles = details.tiles.map(([level, x, y, count]) => ({ level, x, y, count }));
    this.densities.clear();
    this.forget();
  }

  /** Drops what was loaded, since it is of another map. */
  forget() {
    this.epoch++;
    this.loaded.clear();
    this.wanted = [];
    this.draw();
  }

  /** @param {{name: string, low: number, high: number} | null} colour */
  setColour(colour) {
    if (colour?.name !== this.colour?.name) for (const points of this.loaded.values()) points.values = null;
    this.colour = colour;
    this.draw();
  }

  /** @param {number | null} selection */
  setSelection(selection) {
    this.selection = selection;
    for (const points of this.loaded.values()) points.selected = null;
    this.draw();
  }

  whole() {
    if (!this.details) return;
    const [left, bottom, side] = this.details.extent;
    this.centre = [left + side / 2, bottom + side / 2];
    this.scale = Math.min(this.overlay.width, this.overlay.height) / side;
    this.moved();
  }

  /** @param {number} factor @param {number[]} at in units of the map; stays where it is */
  zoom(factor, at = this.centre) {
    if (!this.details) return;
    const smallest = 0.2 * Math.min(this.overlay.width, this.overlay.height) / this.details.extent[2];
    const scale = Math.min(1e7 * smallest, Math.max(smallest, this.scale * factor));
    const share = this.scale / scale;
    this.centre = [0, 1].map(axis => at[axis] + (this.centre[axis] - at[axis]) * share);
    this.scale = scale;
    this.moved();
  }

  moved() {
    this.onMoved();
    this.draw();
  }

  resize() {
    const ratio = Math.min(2, devicePixelRatio);
    const width = Math.max(1, Math.round(this.overlay.clientWidth * ratio)), height = Math.max(1, Math.round(this.overlay.clientHeight * ratio));
    if (this.overlay.width === width && this.overlay.height === height) return;
    const grown = Math.min(width, height) / Math.min(this.overlay.width, this.overlay.height);
    for (const canvas of this.canvases) { canvas.width = width; canvas.height = height; }
    this.scale *= grown;
    this.draw();
  }

  /** The corners of what is shown, in units of the map. */
  shown() {
    const x = this.overlay.width / 2 / this.scale, y = this.overlay.height / 2 / this.scale;
    return { left: this.centre[0] - x, right: this.centre[0] + x, bottom: this.centre[1] - y, top: this.centre[1] + y };
  }

  /** @param {{clientX: number, clientY: number}} event @returns {number[]} */
  placeOf(event) {
    const box = this.overlay.getBoundingClientRect(), ratio = this.overlay.width / box.width;
    return [this.centre[0] + ((event.clientX - box.left) * ratio - this.overlay.width / 2) / this.scale,
            this.centre[1] - ((event.clientY - box.top) * ratio - this.overlay.height / 2) / this.scale];
  }

  /** @param {number[]} place @returns {number[]} in device pixels */
  pixelOf(place) {
    return [(place[0] - this.centre[0]) * this.scale + this.overlay.width / 2, this.overlay.height / 2 - (place[1] - this.centre[1]) * this.scale];
  }

  draw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(begin => {
      this.isDue = false;
      this.drawNow();
      requestAnimationFrame(end => this.budget.note(end - begin));
    });
  }

  drawNow() {
    if (!this.details) return;
    const chosen = this.chooseTiles();
    let drawn = 0;
    for (const at of chosen) drawn += this.loaded.has(at) ? this.tiles[at].count : 0;
    this.drawDensity();
    this.drawPoints(chosen, drawn);
    this.drawPictures(chosen);
    this.drawOverlay();
    this.drawn = drawn;
    this.onDrawn(drawn, this.pictured.length);
  }

  /** Tiles that touch what is shown, the coarsest first, as many as may be drawn; asks for those that are missing. */
  chooseTiles() {
    const { left, right, bottom, top } = this.shown();
    const [x0, y0, side] = /** @type {Details} */ (this.details).extent;
    const chosen = [];
    this.wanted = [];
    let count = 0;
    const byLevel = this.tiles.map((_, at) => at).sort((a, b) => this.tiles[a].level - this.tiles[b].level);
    for (const at of byLevel) {
      const tile = this.tiles[at], own = side / 2 ** tile.level, x = x0 + tile.x * own, y = y0 + tile.y * own;
      if (x > right || x + own < left || y > top || y + own < bottom) continue;
      if (count > 0 && count + tile.count > this.budget.most) break;
      count += tile.count;
      chosen.push(at);
      const points = this.loaded.get(at);
      if (!points || (this.colour && !points.values) || (this.selection !== null && !points.selected)) this.wanted.push(at);
    }
    this.load();
    return chosen;
  }

  load() {
    while (this.loading < loadsAtOnce && this.wanted.length > 0) {
      const at = /** @type {number} */ (this.wanted.shift());
      this.loading++;
      this.loadTile(at).catch(() => {}).finally(() => { this.loading--; this.load(); });
    }
  }

  /** @param {number} at */
  async loadTile(at) {
    const epoch = this.epoch, map = /** @type {Details} */ (this.details).id, colour = this.colour, selection = this.selection;
    const count = this.tiles[at].count;
    let points = this.loaded.get(at);
    if (!points) {
      const all = await bytes('tile', { map, tile: at });
      points = { row: new Uint32Array(all, 0, count), x: new Uint16Array(all, 4 * count, count), y: new Uint16Array(all, 6 * count, count), values: null, selected: null };
    }
    const values = colour && !points.values ? new Float32Array(await bytes('values', { map, tile: at, column: colour.name })) : points.values;
    const selected = selection !== null && !points.selected ? new Uint8Array(await bytes('selected', { map, tile: at, selection })) : points.selected;
    if (epoch !== this.epoch) return;
    if (this.colour?.name === colour?.name) points.values = values;
    if (this.selection === selection) points.selected = selected;
    this.loaded.set(at, points);
    this.draw();
  }

  /**
   * Where the points of a tile are.
   * @param {number} at @param {Points} points @returns {PlacedTile}
   */
  placed(at, points) {
    const tile = this.tiles[at], [x0, y0, side] = /** @type {Details} */ (this.details).extent, own = side / 2 ** tile.level;
    const [left, top] = this.pixelOf([x0 + tile.x * own, y0 + tile.y * own]);
    return { points, left, top, step: own * this.scale / 65536 };
  }

  /** @param {number[]} chosen @param {number} drawn */
  drawPoints(chosen, drawn) {
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvases[1].getContext('2d')), { width, height } = this.canvases[1];
    const size = Math.max(2, Math.min(9, Math.round(Math.sqrt(0.03 * width * height / Math.max(1, drawn)))));
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    const grey = dark ? [110, 115, 120] : [170, 175, 180], blue = dark ? [120, 170, 255] : [20, 80, 170], orange = dark ? [255, 157, 77] : [179, 71, 0];
    const ofSelection = this.selection !== null;
    /** @type {Layer[]} */ const layers = [];
    if (ofSelection) layers.push({ of: 'all', selectedOnly: false, size, fixed: grey });
    else if (this.colour) layers.push({ of: 'without a value', selectedOnly: false, size, fixed: grey });
    layers.push({ of: this.colour ? 'with a value' : 'all', selectedOnly: ofSelection, size: ofSelection ? size + 1 : size, fixed: this.colour ? null : ofSelection ? orange : blue });
    const tiles = chosen.flatMap(at => { const points = this.loaded.get(at); return points ? [this.placed(at, points)] : []; });
    this.painter.draw(context, tiles, layers, this.colour);
  }

  /**
   * The points in view, nothing where they are too many for pictures.
   * @param {number[]} chosen @returns {Pictured[]}
   */
  pointsInView(chosen) {
    const { width, height } = this.canvases[1];
    const style = getComputedStyle(this.overlay), plain = style.getPropertyValue('--line'), mark = style.getPropertyValue('--mark');
    /** @type {Pictured[]} */ const found = [];
    for (const at of chosen) {
      const points = this.loaded.get(at);
      if (!points) return [];
      const { left, top, step } = this.placed(at, points);
      for (let i = 0; i < points.x.length; i++) {
        const x = left + points.x[i] * step, y = top - points.y[i] * step;
        if (x < 0 || y < 0 || x > width || y > height) continue;
        if (found.length === mostInView) return [];
        const value = this.colour && points.values ? points.values[i] : NaN, { low, high } = this.colour ?? { low: 0, high: 1 };
        const frame = this.selection !== null ? (points.selected?.[i] ? mark : plain) : Number.isFinite(value) ? css((value - low) / (high - low || 1)) : plain;
        found.push({ row: points.row[i], x, y, frame });
      }
    }
    return found;
  }

  /**
   * Pictures of galaxies in place of their points: of as many as do not overlap, in the order of rows, so that moving the map keeps them.
   * @param {number[]} chosen
   */
  drawPictures(chosen) {
    this.pictured = [];
    const details = /** @type {Details} */ (this.details);
    const ratio = Math.min(2, devicePixelRatio), size = pictureSide * ratio, apart = (pictureSide + gap) * ratio;
    const inView = this.withPictures ? this.pointsInView(chosen).sort((a, b) => a.row - b.row) : [];
    /** @type {Pictured[]} */ const placed = [];
    for (const one of inView) {
      if (placed.length === mostPictures) break;
      if (placed.every(other => Math.abs(other.x - one.x) >= apart || Math.abs(other.y - one.y) >= apart)) placed.push(one);
    }
    if (!placed.length) return;
    const pictures = picturesNow(placed.map(one => one.row), details.encoder, () => this.draw());
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvases[1].getContext('2d')), back = getComputedStyle(this.overlay).getPropertyValue('--back');
    context.lineWidth = 3 * ratio;
    placed.forEach((one, i) => {
      const picture = pictures[i];
      if (!picture) return;
      context.fillStyle = back;
      context.fillRect(one.x - size / 2, one.y - size / 2, size, size);
      context.drawImage(picture, one.x - size / 2, one.y - size / 2, size, size);
      context.strokeStyle = one.frame;
      context.strokeRect(one.x - size / 2, one.y - size / 2, size, size);
      this.pictured.push(one);
    });
  }

  /** @param {number[]} place @returns {Pictured | undefined} whose picture is there */
  pictureAt(place) {
    const [x, y] = this.pixelOf(place), half = pictureSide * Math.min(2, devicePixelRatio) / 2;
    return this.pictured.find(one => Math.abs(one.x - x) <= half && Math.abs(one.y - y) <= half);
  }

  /** How many objects there are, under what is drawn of them; not needed where all are drawn. */
  drawDensity() {
    const canvas = this.canvases[0], context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.clearRect(0, 0, canvas.width, canvas.height);
    const details = /** @type {Details} */ (this.details);
    if (details.id === 'sky') this.drawGraticule(context, getComputedStyle(this.overlay));
    if (details.objects <= this.budget.most) return;
    const [x0, y0, side] = details.extent, lastLevel = Math.log2(details.cells / mostDensityCells);
    const level = Math.max(0, Math.min(lastLevel, Math.floor(Math.log2(side * this.scale / mostDensityCells / 2))));
    const parts = 2 ** level, own = side / parts, { left, right, bottom, top } = this.shown();
    context.imageSmoothingEnabled = true;
    for (let y = 0; y < parts; y++) for (let x = 0; x < parts; x++) {
      if (x0 + x * own > right || x0 + (x + 1) * own < left || y0 + y * own > top || y0 + (y + 1) * own < bottom) continue;
      const part = this.densityPart(level, x, y);
      if (!part) continue;
      const [px, py] = this.pixelOf([x0 + x * own, y0 + (y + 1) * own]);
      context.drawImage(part, px, py, own * this.scale, own * this.scale);
    }
  }

  /** @param {number} level @param {number} x @param {number} y */
  densityPart(level, x, y) {
    const key = `${level} ${x} ${y}`, known = this.densities.get(key);
    if (known !== undefined) return known;
    this.densities.set(key, null);
    const details = /** @type {Details} */ (this.details), epoch = this.epoch;
    bytes('density', { map: details.id, level, x, y }).then(all => {
      if (epoch !== this.epoch) return;
      const counts = new Uint32Array(all), mean = details.objects / (mostDensityCells * 2 ** level) ** 2;
      const part = document.createElement('canvas');
      part.width = part.height = mostDensityCells;
      const context = /** @type {CanvasRenderingContext2D} */ (part.getContext('2d'));
      const image = context.createImageData(mostDensityCells, mostDensityCells);
      for (let i = 0; i < counts.length; i++) {
        const at = 4 * ((mostDensityCells - 1 - Math.floor(i / mostDensityCells)) * mostDensityCells + i % mostDensityCells);
        image.data.set([128, 128, 128, 200 * Math.min(1, Math.log1p(counts[i] / mean) / 4)], at);
      }
      context.putImageData(image, 0, 0);
      this.densities.set(key, part);
      this.draw();
    }).catch(() => this.densities.delete(key));
    return null;
  }

  drawOverlay() {
    const { overlay } = this, context = /** @type {CanvasRenderingContext2D} */ (overlay.getContext('2d'));
    context.clearRect(0, 0, overlay.width, overlay.height);
    const style = getComputedStyle(overlay);
    context.strokeStyle = style.getPropertyValue('--mark');
    context.lineWidth = 2;
    if (this.outline.length > 1) {
      context.beginPath();
      for (const place of this.outline) context.lineTo(...(/** @type {[number, number]} */ (this.pixelOf(place))));
      context.closePath();
      context.stroke();
    }
    if (this.mark) {
      const [x, y] = this.pixelOf(this.mark);
      context.beginPath();
      context.arc(x, y, 9, 0, 2 * Math.PI);
      context.stroke();
    }
    if (document.activeElement === overlay) {  // where Enter looks for a galaxy
      const x = overlay.width / 2, y = overlay.height / 2;
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { context.moveTo(x + 4 * dx, y + 4 * dy); context.lineTo(x + 12 * dx, y + 12 * dy); }
      context.stroke();
    }
  }

  /**
   * Meridians and parallels every 30 degrees.
   * @param {CanvasRenderingContext2D} context @param {CSSStyleDeclaration} style
   */
  drawGraticule(context, style) {
    const degrees = (/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ step) => Array.from({ length: (to - from) / step + 1 }, (_, i) => from + i * step);
    context.save();
    context.strokeStyle = context.fillStyle = style.getPropertyValue('--soft');
    context.globalAlpha = 0.5;
    context.lineWidth = 1;
    const line = (/** @type {number[][]} */ places) => {
      context.beginPath();
      for (const [ra, dec] of places) context.lineTo(...(/** @type {[number, number]} */ (this.pixelOf(onSky(ra, dec)))));
      context.stroke();
    };
    for (const ra of degrees(0, 360, 30)) line(degrees(-90, 90, 3).map(dec => [ra, dec]));
    for (const dec of degrees(-60, 60, 30)) line(degrees(0, 360, 4).map(ra => [ra, dec]));
    context.globalAlpha = 1;
    context.font = `${11 * Math.min(2, devicePixelRatio)}px system-ui, sans-serif`;
    for (const ra of degrees(30, 330, 30)) context.fillText(ra + '°', ...(/** @type {[number, number]} */ (this.pixelOf(onSky(ra, 1)))));
    for (const dec of [-60, -30, 30, 60]) context.fillText((dec > 0 ? '+' : '−') + Math.abs(dec) + '°', ...(/** @type {[number, number]} */ (this.pixelOf(onSky(180, dec + 1)))));
    context.restore();
  }

  listen() {
    const { overlay } = this;
    /** @type {{x: number, y: number, place: number[], moved: boolean} | null} */
    let held = null;
    overlay.addEventListener('pointerdown', event => {
      if (event.button !== 0) return;
      overlay.setPointerCapture(event.pointerId);
      held = { x: event.clientX, y: event.clientY, place: this.placeOf(event), moved: false };
      this.outline = [];
    });
    overlay.addEventListener('pointermove', event => {
      if (!held) return;
      if (Math.hypot(event.clientX - held.x, event.clientY - held.y) > 3) held.moved = true;
      if (!held.moved) return;
      const place = this.placeOf(event), from = held.place;
      if (this.tool === 'pan') {
        this.centre = this.centre.map((value, axis) => value + from[axis] - place[axis]);
        this.moved();
        return;
      }
      if (this.tool === 'box') this.outline = [from, [place[0], from[1]], place, [from[0], place[1]]];
      else this.outline = this.outline.length ? [...this.outline, place] : [from, place];
      this.drawOverlay();
    });
    const release = (/** @type {PointerEvent} */ event) => {
      if (!held) return;
      const { moved, place } = held;
      held = null;
      const picture = this.pictureAt(place);
      if (!moved && event.type === 'pointerup') {
        if (picture) this.onPicked(picture.row);
        else this.onChosen(place[0], place[1], 8 * devicePixelRatio / this.scale);
      }
      if (this.outline.length > 2 && event.type === 'pointerup') this.onPolygon(this.outline, this.tool);
      this.outline = [];
      this.drawOverlay();
    };
    overlay.addEventListener('pointerup', release);
    overlay.addEventListener('pointercancel', release);
    overlay.addEventListener('wheel', event => {
      event.preventDefault();
      this.zoom(Math.exp(-0.002 * event.deltaY), this.placeOf(event));
    }, { passive: false });
    for (const kind of ['focus', 'blur']) overlay.addEventListener(kind, () => this.drawOverlay());
    overlay.addEventListener('keydown', event => {
      const step = 0.15 * Math.min(overlay.width, overlay.height) / this.scale;
      /** @type {Record<string, number[]>} */
      const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (arrows[event.key]) {
        this.centre = this.centre.map((value, axis) => value + step * arrows[event.key][axis]);
        this.moved();
      } else if (event.key === '+' || event.key === '=') this.zoom(1.5);
      else if (event.key === '-') this.zoom(1 / 1.5);
      else if (event.key === '0') this.whole();
      else if (event.key === 'Enter') this.onChosen(this.centre[0], this.centre[1], Infinity);
      else if (event.key === 'v' || event.key === 'V') this.selectShown();
      else return;
      event.preventDefault();
    });
  }

  selectShown() {
    const { left, right, bottom, top } = this.shown();
    this.onPolygon([[left, bottom], [right, bottom], [right, top], [left, top]], 'view');
  }
}

/**
 * Where core/map/mollweide.h has a position in degrees, right ascension 180 in the middle.
 * @param {number} ra @param {number} dec @returns {number[]}
 */
function onSky(ra, dec) {
  const wanted = Math.PI * Math.sin(dec * Math.PI / 180);
  let angle = dec * Math.PI / 180 * Math.PI / 4;
  for (let i = 0; i < 60; i++) {
    const slope = 2 + 2 * Math.cos(2 * angle);
    if (slope < 1e-9) break;
    angle -= (2 * angle + Math.sin(2 * angle) - wanted) / slope;
  }
  return [2 * Math.SQRT2 * (180 - ra) / 180 * Math.cos(angle), Math.SQRT2 * Math.sin(angle)];
}
