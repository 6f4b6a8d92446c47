// What the map shows as a file, with a caption that states what it is of.
import { css } from './colours.js';

const lineHeight = 18, margin = 10, barWidth = 160, fontSize = 13;

/** @param {HTMLCanvasElement[]} layers @param {string[]} lines @param {string[] | null} ends of the colours, if there are any */
function measures(layers, lines, ends) {
  const { width, height } = layers[0], scale = width / layers[0].clientWidth || 1;
  return { width, height, scale, below: scale * (2 * margin + lineHeight * (lines.length + (ends ? 1 : 0))) };
}

/**
 * Breaks nothing: long lines are drawn as narrow as they must be.
 * @param {HTMLCanvasElement[]} layers @param {string[]} lines @param {string[] | null} ends @returns {Promise<Blob>}
 */
export function viewAsPng(layers, lines, ends) {
  const { width, height, scale, below } = measures(layers, lines, ends);
  const canvas = document.createElement('canvas'), style = getComputedStyle(document.body);
  canvas.width = width;
  canvas.height = height + below;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.fillStyle = style.backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const layer of layers) context.drawImage(layer, 0, 0);
  context.fillStyle = style.color;
  context.font = `${fontSize * scale}px system-ui, sans-serif`;
  let y = height + scale * (margin + fontSize);
  if (ends) {
    const left = scale * (margin + 70);
    for (let x = 0; x < barWidth * scale; x++) { context.fillStyle = css(x / (barWidth * scale)); context.fillRect(left + x, y - scale * 10, 1, scale * 10); }
    context.fillStyle = style.color;
    context.textAlign = 'right';
    context.fillText(ends[0], left - scale * 6, y);
    context.textAlign = 'left';
    context.fillText(ends[1], left + scale * (barWidth + 6), y);
    y += scale * lineHeight;
  }
  for (const line of lines) {
    context.fillText(line, scale * margin, y, width - 2 * scale * margin);
    y += scale * lineHeight;
  }
  return new Promise((resolve, reject) => canvas.toBlob(blob => blob ? resolve(blob) : reject(new Error('the picture could not be made')), 'image/png'));
}

/**
 * The points as a PNG within; everything else can be edited.
 * @param {HTMLCanvasElement[]} layers @param {string[]} lines @param {string[] | null} ends @returns {Promise<Blob>}
 */
export async function viewAsSvg(layers, lines, ends) {
  const { width, height, scale, below } = measures(layers, lines, ends), style = getComputedStyle(document.body);
  const escaped = (/** @type {string} */ text) => text.replace(/[&<>"]/g, letter => `&#${letter.charCodeAt(0)};`);
  const images = layers.map(layer => `<image width="${width / scale}" height="${height / scale}" href="${layer.toDataURL()}"/>`);
  let y = height / scale + margin + fontSize;
  const parts = [];
  if (ends) {
    const stops = Array.from({ length: 17 }, (_, i) => `<stop offset="${i / 16}" stop-color="${css(i / 16).replace(/ /g, ',')}"/>`);
    parts.push(`<defs><linearGradient id="colours">${stops.join('')}</linearGradient></defs><rect x="${margin + 70}" y="${y - 10}" width="${barWidth}" height="10" fill="url(#colours)"/>`,
      `<text x="${margin + 64}" y="${y}" text-anchor="end">${escaped(ends[0])}</text><text x="${margin + 76 + barWidth}" y="${y}">${escaped(ends[1])}</text>`);
    y += lineHeight;
  }
  for (const line of lines) {
    parts.push(`<text x="${margin}" y="${y}">${escaped(line)}</text>`);
    y += lineHeight;
  }
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width / scale}" height="${(height + below) / scale}"><title>${escaped(lines[0])}</title><desc>${escaped(lines.join(' '))}</desc>`
    + `<rect width="100%" height="100%" fill="${style.backgroundColor}"/>${images.join('')}<g font-family="system-ui, sans-serif" font-size="${fontSize}" fill="${style.color}">${parts.join('')}</g></svg>`;
  return new Blob([text], { type: 'image/svg+xml' });
}
