// A text as a QR code, for the camera of somebody who stands beside.

import { encode } from 'uqr';
import { drawing } from '../dom.js';

/** The rim that readers need around a code, in modules. */
const RIM = 4;

/** The drawing, dark on light whatever the page's colors are; undefined where the text is too long. */
export function qrCode(text: string): SVGSVGElement | undefined {
  let code: ReturnType<typeof encode>;
  try {
    // Little correction keeps the modules large: it is read from a screen, not from a torn poster.
    code = encode(text, { ecc: 'L', border: RIM });
  } catch {
    return undefined;
  }
  const { size, data } = code;
  const runs = data.flatMap((row, y) => runsOf(row).map(([x, n]) => `M${x} ${y}h${n}v1h-${n}z`));
  const svg = drawing(
    size,
    ['rect', { width: size, height: size }],
    ['path', { d: runs.join('') }],
  );
  svg.setAttribute('class', 'qr');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', 'QR code of the link');
  return svg;
}

/** Where dark modules that touch each other begin, and how many they are. */
function runsOf(row: readonly boolean[]): (readonly [at: number, count: number])[] {
  const runs: (readonly [number, number])[] = [];
  let at = 0;
  while (at < row.length) {
    let end = at;
    while (row[end] === true) end += 1;
    if (end > at) runs.push([at, end - at]);
    at = end + 1;
  }
  return runs;
}
