// A button that copies something and says what came of it.

import { el, icon, setText } from '../dom.js';
import { explain } from '../words.js';

/** Copies a text, which people call `what`; what it cannot copy, `show` shows. */
export function copyButton(
  text: () => Promise<string>,
  show: (text: string) => void,
  what = 'link',
): HTMLElement {
  const idle = `Copy ${what}`;
  const label = el('span', {}, idle);
  const said = el('span', { class: 'visually-hidden', role: 'status' });
  const copy = async () => {
    try {
      const given = await text();
      const copied = await toClipboard(given);
      if (!copied) show(given);
      setText(label, copied ? 'Copied' : idle);
      const told = copied
        ? `The ${what} is in the clipboard.`
        : `Copy the selected ${what} yourself.`;
      setText(said, told);
    } catch (error) {
      setText(said, explain(error).title);
    }
  };
  const button = el(
    'button',
    {
      type: 'button',
      class: 'primary copy',
      onclick: () => void copy(),
      onblur: () => setText(label, idle),
    },
    icon('link'),
    label,
  );
  return el('span', { class: 'copy-place' }, button, said);
}

/** False where the page may not write it: plain http on a network, or a refused permission. */
async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
