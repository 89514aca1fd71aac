// A wrong name is answered with the right ones, nearest first.

/** How many letters differ (Levenshtein). */
export function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

export function nearest(wrong, names) {
  const best = [...names].sort((a, b) => distance(wrong, a) - distance(wrong, b))[0];
  const close = best !== undefined && distance(wrong, best) <= 2 ? `Did you mean "${best}"? ` : '';
  return `${close}There are: ${names.join(', ')}`;
}
