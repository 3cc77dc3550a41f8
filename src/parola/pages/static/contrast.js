/** Tells whether two colours are far enough apart to be read. Source: WCAG 2.2, 1.4.6. */

const ENOUGH = 7;

/** @param {string} hex  Such as "#ffe14d". */
function luminance(hex) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Returns whether text in one colour on the other has a contrast of 7:1 at least. */
export function isReadable(ink, ground) {
  const [dark, light] = [luminance(ink), luminance(ground)].sort((one, other) => one - other);
  return (light + 0.05) / (dark + 0.05) >= ENOUGH;
}
