// Points drawn by WebGL2: discs are added up in a texture of counts and sums, which a second pass turns into colours.
import { opacities, steps } from './colours.js';

/**
 * @typedef {import('./points.js').Points} Points
 * @typedef {import('./points.js').PlacedTile} PlacedTile
 * @typedef {import('./points.js').Layer} Layer
 * @typedef {import('./points.js').Range} Range
 * @typedef {{array: WebGLVertexArrayObject | null, values: WebGLBuffer | null, selected: WebGLBuffer | null, ofValues: Float32Array | null, ofSelected: Uint8Array | null}} Uploaded
 */

const unknown = 3e38;  // stands for no value, since NaN is lost on some cards

// The place of a point is told from one near the middle of the canvas, for 32 bits are too few from a corner of a tile
// that is zoomed into.
const discs = `#version 300 es
layout(location = 0) in vec2 place;
layout(location = 1) in float value;
layout(location = 2) in float isSelected;
uniform vec2 middle, placeOfMiddle, canvas, range;
uniform float scale, size;
uniform int of;
uniform bool selectedOnly;
out float share;
void main() {
  float first = floor(size / 2.0);
  vec2 pixel = floor(placeOfMiddle + (place - middle) * vec2(scale, -scale));
  bool isThere = value < ${unknown.toExponential()};
  share = of == 1 ? clamp((value - range.x) / range.y, 0.0, 1.0) : 0.0;
  bool isDrawn = (of == 0 || isThere == (of == 1)) && (!selectedOnly || isSelected > 0.0) && all(greaterThanEqual(pixel, vec2(first))) && all(lessThan(pixel, canvas - size + first));
  vec2 centre = (pixel - first + size / 2.0) / canvas * 2.0 - 1.0;
  gl_Position = isDrawn ? vec4(centre.x, -centre.y, 0.0, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = size;
}`, added = `#version 300 es
precision highp float;
uniform float size;
in float share;
out vec4 sum;
void main() {
  vec2 from = floor(gl_PointCoord * size) - (size - 1.0) / 2.0;
  if (size >= 4.0 && dot(from, from) > size * size / 4.0) discard;
  sum = vec4(1.0, share, 0.0, 0.0);
}`, everywhere = `#version 300 es
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0); }`, coloured = `#version 300 es
precision highp float;
uniform highp sampler2D sums, colours;
uniform float opacities[${opacities.length}];
uniform vec3 fixedColour;
uniform bool isFixed;
out vec4 colour;
void main() {
  vec2 sum = texelFetch(sums, ivec2(gl_FragCoord.xy), 0).xy;
  if (sum.x == 0.0) discard;
  float opaque = opacities[int(min(sum.x, ${opacities.length - 1}.0))];
  colour = vec4(isFixed ? fixedColour : texelFetch(colours, ivec2(int(255.0 * sum.y / sum.x + 0.5), 0), 0).xyz, 1.0) * opaque;
}`;

export class WebglPoints {
  /**
   * @param {boolean} bySoftwareToo also where no graphics card draws
   * @param {() => void} onLost called when the card has been lost
   * @returns {WebglPoints | null} null where the browser cannot
   */
  static make(bySoftwareToo, onLost) {
    const canvas = document.createElement('canvas');
    const gl = canvas.getContext('webgl2', { antialias: false, depth: false, failIfMajorPerformanceCaveat: !bySoftwareToo });
    if (!gl || !bySoftwareToo && isSoftware(gl) || !gl.getExtension('EXT_color_buffer_float') || !gl.getExtension('EXT_float_blend')) return null;
    canvas.addEventListener('webglcontextlost', onLost);
    return new WebglPoints(gl);
  }

  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.gl = gl;
    this.name = 'webgl';
    this.most = 2000000;
    this.discs = program(gl, discs, added);
    this.colours = program(gl, everywhere, coloured);
    this.target = gl.createFramebuffer();
    /** @type {WebGLTexture | null} */ this.sums = null;
    /** @type {WeakMap<Points, Uploaded>} */ this.uploaded = new WeakMap();
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, steps.length / 3, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, steps);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.activeTexture(gl.TEXTURE0);
    gl.enable(gl.BLEND);
    gl.vertexAttrib1f(1, unknown);  // where no values are bound
  }

  /**
   * Draws layers over one another, in place of what was there.
   * @param {CanvasRenderingContext2D} context @param {PlacedTile[]} tiles @param {Layer[]} layers @param {Range | null} range of colours
   */
  draw(context, tiles, layers, range) {
    const { gl } = this, { width, height } = context.canvas;
    this.resize(width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    for (const layer of layers) {
      this.add(tiles, layer, range);
      this.colour(layer);
    }
    context.clearRect(0, 0, width, height);
    context.drawImage(gl.canvas, 0, 0);
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    const { gl } = this, { canvas } = gl;
    if (this.sums && canvas.width === width && canvas.height === height) return;
    canvas.width = width;
    canvas.height = height;
    gl.viewport(0, 0, width, height);
    gl.deleteTexture(this.sums);
    this.sums = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.sums);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RG32F, width, height);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.target);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.sums, 0);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  /**
   * Adds up counts, and shares of the range of colours.
   * @param {PlacedTile[]} tiles @param {Layer} layer @param {Range | null} range
   */
  add(tiles, layer, range) {
    const { gl } = this, { uniform } = this.discs, { width, height } = gl.canvas;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.target);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.blendFunc(gl.ONE, gl.ONE);
    gl.useProgram(this.discs.program);
    gl.uniform2f(uniform('canvas'), width, height);
    gl.uniform2f(uniform('range'), range?.low ?? 0, range ? range.high - range.low || 1 : 1);
    gl.uniform1f(uniform('size'), layer.size);
    gl.uniform1i(uniform('of'), { 'all': 0, 'with a value': 1, 'without a value': 2 }[layer.of]);
    gl.uniform1i(uniform('selectedOnly'), Number(layer.selectedOnly));
    for (const { points, left, top, step } of tiles) {
      if (layer.selectedOnly && !points.selected) continue;
      const x = Math.round((width / 2 - left) / step), y = Math.round((top - height / 2) / step);
      gl.bindVertexArray(this.upload(points).array);
      gl.uniform2f(uniform('middle'), x, y);
      gl.uniform2f(uniform('placeOfMiddle'), left + x * step, top - y * step);
      gl.uniform1f(uniform('scale'), step);
      gl.drawArrays(gl.POINTS, 0, points.x.length);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  /** @param {Layer} layer whose sums there are */
  colour({ fixed }) {
    const { gl } = this, { uniform } = this.colours;
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(this.colours.program);
    gl.uniform1i(uniform('sums'), 0);
    gl.uniform1i(uniform('colours'), 1);
    gl.uniform1fv(uniform('opacities'), opacities);
    gl.uniform1i(uniform('isFixed'), Number(fixed !== null));
    if (fixed) gl.uniform3f(uniform('fixedColour'), fixed[0] / 255, fixed[1] / 255, fixed[2] / 255);
    gl.bindVertexArray(null);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /**
   * What the card has of points, brought up to date.
   * @param {Points} points @returns {Uploaded}
   */
  upload(points) {
    const { gl } = this, known = this.uploaded.get(points);
    /** @type {Uploaded} */ const kept = known ?? { array: gl.createVertexArray(), values: gl.createBuffer(), selected: gl.createBuffer(), ofValues: null, ofSelected: null };
    if (!known) {
      this.uploaded.set(points, kept);
      const places = new Uint16Array(2 * points.x.length);
      for (let i = 0; i < points.x.length; i++) { places[2 * i] = points.x[i]; places[2 * i + 1] = points.y[i]; }
      gl.bindVertexArray(kept.array);
      this.attribute(0, gl.createBuffer(), places, 2, gl.UNSIGNED_SHORT);
    }
    gl.bindVertexArray(kept.array);
    if (points.values !== kept.ofValues) this.attribute(1, kept.values, points.values?.map(value => value !== value ? unknown : Math.min(value, unknown / 2)) ?? null, 1, gl.FLOAT);
    if (points.selected !== kept.ofSelected) this.attribute(2, kept.selected, points.selected, 1, gl.UNSIGNED_BYTE);
    kept.ofValues = points.values;
    kept.ofSelected = points.selected;
    return kept;
  }

  /** @param {number} at @param {WebGLBuffer | null} buffer @param {ArrayBufferView | null} data @param {number} parts @param {number} type */
  attribute(at, buffer, data, parts, type) {
    const { gl } = this;
    if (!data) return gl.disableVertexAttribArray(at);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, parts, type, false, 0, 0);
  }
}

/** @param {WebGL2RenderingContext} gl */
function isSoftware(gl) {
  const names = gl.getExtension('WEBGL_debug_renderer_info');
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER)));
}

/** @param {WebGL2RenderingContext} gl @param {string} vertices @param {string} fragments */
function program(gl, vertices, fragments) {
  const made = /** @type {WebGLProgram} */ (gl.createProgram());
  for (const [type, text] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, vertices], [gl.FRAGMENT_SHADER, fragments]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(type));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  /** @type {Map<string, WebGLUniformLocation | null>} */ const places = new Map();
  const uniform = (/** @type {string} */ name) => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(made, name));
    return places.get(name) ?? null;
  };
  return { program: made, uniform };
}
