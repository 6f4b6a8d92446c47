// What draws the points of the map: WebGL2 on a graphics card, else the processor on a canvas. Both give the same pixels.
import { CanvasPoints } from './canvas_points.js';
import { WebglPoints } from './webgl_points.js';

/**
 * @typedef {{x: Uint16Array, y: Uint16Array, row: Uint32Array, values: Float32Array | null, selected: Uint8Array | null}} Points
 * @typedef {{points: Points, left: number, top: number, step: number}} PlacedTile a point is at left + x · step, top − y · step, in device pixels
 * @typedef {{low: number, high: number}} Range of values, from the first to the last colour
 * @typedef {{of: 'all' | 'with a value' | 'without a value', selectedOnly: boolean, size: number, fixed: number[] | null}} Layer discs of `size` pixels, in one colour (0 to 255), or else in the mean colour of those at a pixel
 */

const slowFrame = 50, slowFrames = 3, quickFrame = 25, quickFrames = 20, leastDrawn = 100000;  // milliseconds, frames, points

/**
 * What draws here: `wanted` if it can; else WebGL2 where a graphics card does it, since a processor is faster without.
 * @param {string | null} wanted "webgl" or "canvas" @param {() => void} onLost called when the graphics card has been lost
 */
export function makePoints(wanted, onLost) {
  return (wanted === 'canvas' ? null : WebglPoints.make(wanted === 'webgl', onLost)) ?? new CanvasPoints();
}

/** How many points may be drawn: half as many once frames are slow, twice as many, up to the first number, once they are quick. */
export class Budget {
  /** @param {number} most */
  constructor(most) {
    this.limit = most;
    this.most = most;
    this.slow = 0;
    this.quick = 0;
  }

  /** @param {number} milliseconds that a frame took */
  note(milliseconds) {
    this.slow = milliseconds > slowFrame ? this.slow + 1 : 0;
    this.quick = milliseconds < quickFrame ? this.quick + 1 : 0;
    if (this.slow >= slowFrames) {
      this.slow = 0;
      this.most = Math.min(this.most, Math.max(leastDrawn, this.most / 2));
    } else if (this.quick >= quickFrames) {
      this.quick = 0;
      this.most = Math.min(this.limit, 2 * this.most);
    }
  }
}
