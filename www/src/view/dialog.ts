// A window over the page: Escape and the button at its corner close it, and the focus goes back.

import { el, icon } from '../dom.js';

type Child = Parameters<HTMLElement['append']>[0];

let nextId = 1;

export class Dialog {
  readonly element: HTMLDialogElement;
  readonly #place: HTMLElement;

  /** `place`: where in the page it belongs. It is in there only while it is open. */
  constructor(place: HTMLElement, name: string, title: string, ...children: Child[]) {
    this.#place = place;
    const id = `dialog-${nextId++}`;
    this.element = el(
      'dialog',
      { class: `dialog ${name}`, 'aria-labelledby': id },
      el('h3', { id }, title),
      el(
        'button',
        {
          type: 'button',
          class: 'icon-button shut',
          'aria-label': 'Close this window',
          title: 'Close',
          onclick: () => this.close(),
        },
        icon('close'),
      ),
    );
    this.element.append(...children);
    // What came of a click beside it, and not of one that began in it.
    this.element.addEventListener('pointerdown', (event) => {
      if (event.target === this.element && !within(this.element, event)) this.close();
    });
    // It is told late: the window may have been opened again meanwhile.
    this.element.addEventListener('close', () => {
      if (!this.shown) this.element.remove();
    });
  }

  get shown(): boolean {
    return this.element.open;
  }

  show(): void {
    this.#place.append(this.element);
    this.element.showModal();
  }

  close(): void {
    this.element.close();
  }
}

function within(element: HTMLElement, { clientX, clientY }: PointerEvent): boolean {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}
