// Waits for a condition in a page. Puppeteer's own way makes code from text, which the pages forbid.

import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 25;

/** Asks the page until the function answers something true, and gives that; undefined when late. */
export async function until(page, within, look, ...args) {
  const limit = Date.now() + within;
  for (;;) {
    const answer = await page.evaluate(look, ...args).catch((error) => {
      // The page that was asked has just been replaced by the next one.
      if (!/context|realm|frame|destroyed|navigat/i.test(error.message)) throw error;
    });
    if (answer) return answer;
    if (Date.now() > limit) return undefined;
    await pause(LOOK_EVERY_MS);
  }
}
