/** Bars of a small series as one SVG path. */

/**
 * @param {(number | null)[]} values null where nothing is known: the bar is left out @param {number} width @param {number} height
 * @param {number} [gapShare] how much of a bar's slot stays empty
 */
export function bars(values, width, height, gapShare = 0.28) {
  const most = Math.max(...values.map((value) => value ?? 0), 1);
  const slot = width / values.length;
  const bar = slot * (1 - gapShare);
  let path = '';
  for (const [i, value] of values.entries()) {
    if (value === null) continue;
    const tall = value > 0 ? Math.max(1.5, (value / most) * height) : 0.75;
    path += `M${(i * slot).toFixed(1)} ${height}v-${tall.toFixed(1)}h${bar.toFixed(1)}v${tall.toFixed(1)}z`;
  }
  return path;
}
