/** Finds what a correction could teach: the one run of words that became another one. */

/** Longer runs are a new sentence, not a word that is misheard again and again. */
const LONGEST = 4;

const bare = (word) => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");

/**
 * Returns the words that were heard and what they should have been; null where nothing is learned.
 *
 * @param {string} before
 * @param {string} after
 */
export function learned(before, after) {
  const old = before.split(/\s+/).filter(Boolean);
  const fresh = after.split(/\s+/).filter(Boolean);
  let start = 0;
  while (start < Math.min(old.length, fresh.length) && old[start] === fresh[start]) start += 1;
  let end = 0;
  while (
    end < Math.min(old.length, fresh.length) - start &&
    old.at(-1 - end) === fresh.at(-1 - end)
  ) {
    end += 1;
  }
  const heard = old.slice(start, old.length - end).map(bare).filter(Boolean);
  const shown = fresh.slice(start, fresh.length - end).map(bare).filter(Boolean);
  const fits = (words) => words.length > 0 && words.length <= LONGEST;
  if (!fits(heard) || !fits(shown) || heard.join(" ") === shown.join(" ")) return null;
  return { heard: heard.join(" "), shown: shown.join(" ") };
}
