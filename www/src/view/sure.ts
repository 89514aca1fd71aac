// A button for what cannot be undone: it asks once more, in its place.

import { el, setText } from '../dom.js';

export class Sure {
  readonly element: HTMLButtonElement;
  #asked = false;

  constructor(
    label: string,
    question: string,
    go: () => void,
    more: { 'aria-label'?: string } = {},
  ) {
    this.element = el('button', { type: 'button', class: 'plain sure', ...more }, label);
    const ask = (on: boolean) => {
      this.#asked = on;
      this.element.classList.toggle('asks', on);
      setText(this.element, on ? question : label);
    };
    this.element.addEventListener('click', () => {
      const { element } = this;
      if (this.#asked) go();
      if (element.isConnected) ask(!this.#asked);
    });
    this.element.addEventListener('blur', () => ask(false));
  }
}
