// Inviting: a link to copy, how many it lets in, and coming in as somebody else in this window.

import { type Chat, LINK_USES } from '../chat.js';
import { el, field, icon, setText } from '../dom.js';
import { explain } from '../words.js';

const USES = [1, 5, LINK_USES, 100];

/** The links of one open group; each kind is made once. */
export class Links {
  readonly #chat: Chat;
  readonly #made = new Map<number, Promise<string>>();

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  /** The group is somebody else's: there is one link, the one that was come with. */
  get handedOn(): boolean {
    return this.#chat.invitation !== undefined;
  }

  get(uses: number): Promise<string> {
    const made = this.#made.get(uses) ?? this.#chat.link(uses);
    this.#made.set(uses, made);
    made.catch(() => this.#made.delete(uses));
    return made;
  }
}

/** A button that copies a link and says what came of it; what it cannot copy, `show` shows. */
export function copyButton(link: () => Promise<string>, show: (link: string) => void): HTMLElement {
  const label = el('span', {}, 'Copy link');
  const said = el('span', { class: 'visually-hidden', role: 'status' });
  const copy = async () => {
    try {
      const text = await link();
      const copied = await toClipboard(text);
      if (!copied) show(text);
      setText(label, copied ? 'Copied' : 'Copy link');
      setText(said, copied ? 'The link is in the clipboard.' : 'Copy the selected link yourself.');
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
      onblur: () => setText(label, 'Copy link'),
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

export class Share {
  readonly element: HTMLElement;
  readonly #link = el('input', {
    class: 'link',
    name: 'link',
    readonly: true,
    'aria-label': 'Link',
    onfocus: () => this.#select(),
  });
  readonly #uses = el('select', { name: 'uses', onchange: () => void this.#fill() });
  readonly #links: Links;
  readonly #failed = el('p', { class: 'hint', role: 'status' });

  constructor(links: Links, someoneElse: () => void, done: () => void) {
    this.#links = links;
    for (const uses of USES) {
      const words = uses === 1 ? 'one person' : `up to ${uses} people`;
      this.#uses.append(el('option', { value: uses, selected: uses === LINK_USES }, words));
    }
    this.element = el(
      'section',
      { class: 'share', 'aria-label': 'Invite', hidden: true },
      el('h3', {}, 'Invite people'),
      el(
        'p',
        { class: 'hint' },
        links.handedOn
          ? 'This is the link you came in with. Others can use it too, while somebody is online who was here before you.'
          : 'Whoever opens this link can come in while you are online, or somebody who was here before. It works for 7 days.',
      ),
      el(
        'div',
        { class: 'share-row' },
        this.#link,
        copyButton(
          () => this.#current(),
          () => this.#select(),
        ),
      ),
      this.#failed,
      links.handedOn ? undefined : field('Lets in', this.#uses),
      el('hr'),
      el(
        'p',
        { class: 'hint' },
        'Alone at the moment? See how it works with a second person beside you.',
      ),
      el(
        'button',
        { type: 'button', class: 'someone', onclick: someoneElse },
        icon('person'),
        'Join as someone else in this window',
      ),
    );
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') done();
    });
  }

  get shown(): boolean {
    return !this.element.hidden;
  }

  show(on: boolean): void {
    this.element.hidden = !on;
    if (on) void this.#fill().then(() => this.#link.focus());
  }

  /** All of it, with its beginning in sight. */
  #select(): void {
    this.#link.setSelectionRange(0, this.#link.value.length, 'backward');
    this.#link.scrollLeft = 0;
  }

  #current(): Promise<string> {
    return this.#links.get(Number(this.#uses.value));
  }

  async #fill(): Promise<void> {
    setText(this.#failed, '');
    try {
      this.#link.value = await this.#current();
    } catch (error) {
      const { title, advice } = explain(error);
      this.#link.value = '';
      setText(this.#failed, `${title}. ${advice}`);
    }
  }
}
