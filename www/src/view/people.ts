// Who is here, how each is connected, and the way to whisper to one.

import type { PeerId } from 'peer-group';
import type { Chat, Neighbor } from '../chat.js';
import { el, icon, setText } from '../dom.js';
import { save } from '../memory.js';
import { cleanName, shortName } from '../names.js';
import { Face } from './face.js';
import { nameInput } from './home.js';

const PATHS: Readonly<Record<Neighbor['path'], string>> = {
  direct: 'direct',
  turn: 'by TURN server',
  relay: 'by relay',
};

interface Row {
  readonly element: HTMLElement;
  update(neighbor: Neighbor): void;
}

export class People {
  readonly element: HTMLElement;
  readonly #list = el('ul', { class: 'people' });
  readonly #title = el('h3', {}, 'Here');
  readonly #rows = new Map<PeerId, Row>();
  readonly #chat: Chat;
  readonly #whisper: (to: PeerId) => void;

  constructor(chat: Chat, whisper: (to: PeerId) => void) {
    this.#chat = chat;
    this.#whisper = whisper;
    const takes = el('input', {
      type: 'checkbox',
      name: 'whispers',
      checked: chat.person.whispers,
      onchange: () => {
        chat.person.whispers = takes.checked;
        save(chat.person);
      },
    });
    this.element = el(
      'section',
      { class: 'side', 'aria-label': 'People' },
      this.#title,
      this.#list,
      el('label', { class: 'check' }, takes, 'Take whispers'),
    );
    this.#list.append(this.#self());
  }

  update(neighbors: readonly Neighbor[]): void {
    setText(this.#title, `Here (${neighbors.length + 1})`);
    const present = new Set(neighbors.map(({ peerId }) => peerId));
    for (const [peerId, { element }] of this.#rows) {
      if (present.has(peerId)) continue;
      element.remove();
      this.#rows.delete(peerId);
    }
    for (const neighbor of neighbors) {
      const row = this.#rows.get(neighbor.peerId) ?? this.#row(neighbor);
      row.update(neighbor);
    }
  }

  #row(neighbor: Neighbor): Row {
    const { peerId } = neighbor;
    const face = new Face(neighbor.name, peerId);
    const name = el('bdi', { class: 'name' });
    const meta = el('span', { class: 'meta' });
    const button = el(
      'button',
      { type: 'button', class: 'icon-button', onclick: () => this.#whisper(peerId) },
      icon('whisper'),
    );
    const text = el('div', { class: 'who' }, name, meta);
    const element = el('li', { 'data-peer': peerId }, face.element, text, button);
    const row: Row = {
      element,
      update: (now) => {
        face.name = now.name;
        setText(name, now.name);
        const id = now.introduced ? `${shortName(peerId)} · ` : '';
        const rtt = now.rttMs === undefined ? '' : ` · ${Math.max(1, Math.round(now.rttMs))} ms`;
        setText(meta, `${id}${PATHS[now.path]}${rtt}`);
        const label = `Whisper to ${now.name}`;
        if (button.getAttribute('aria-label') !== label) {
          button.setAttribute('aria-label', label);
          button.title = label;
        }
      },
    };
    this.#rows.set(peerId, row);
    this.#list.append(element);
    return row;
  }

  /** The person itself, first in the list, with the way to another name. */
  #self(): HTMLElement {
    const { person, group } = this.#chat;
    const face = new Face(person.name, group.peerId);
    const name = el('bdi', { class: 'name' }, person.name);
    const input = nameInput(person);
    input.setAttribute('aria-label', 'Your name');
    const edit = el(
      'button',
      {
        type: 'button',
        class: 'icon-button',
        'aria-label': 'Change your name',
        title: 'Change your name',
      },
      icon('pen'),
    );
    const text = el(
      'div',
      { class: 'who' },
      name,
      el('span', { class: 'meta' }, `${shortName(group.peerId)} · you`),
    );
    const form = el(
      'form',
      { class: 'rename', hidden: true },
      input,
      el('button', { type: 'submit' }, 'Save'),
    );
    const editing = (on: boolean) => {
      form.hidden = !on;
      text.hidden = edit.hidden = on;
      if (on) input.select();
      else edit.focus();
    };
    edit.addEventListener('click', () => {
      input.value = person.name;
      editing(true);
    });
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') editing(false);
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      input.value = cleanName(input.value);
      if (!input.reportValidity()) return;
      person.name = face.name = input.value;
      setText(name, person.name);
      save(person);
      editing(false);
      this.#chat.renamed();
    });
    return el('li', { class: 'self' }, face.element, text, form, edit);
  }
}
