// Where a message is written. Enter sends, Shift+Enter begins a new line.

import { el, icon, setText } from '../dom.js';
import { TEXT_LENGTH } from '../messages.js';

export class Composer {
  readonly element: HTMLFormElement;
  readonly #input: HTMLTextAreaElement;
  readonly #button: HTMLButtonElement;
  readonly #hint = el('p', { class: 'composer-hint', role: 'status' });
  #blocked: string | undefined;

  /** `send` gets what was written, without surrounding space, never empty. */
  constructor(send: (text: string) => void) {
    this.#input = el('textarea', {
      name: 'message',
      rows: 1,
      maxlength: TEXT_LENGTH,
      'aria-label': 'Message',
      autocomplete: 'off',
    });
    this.#button = el(
      'button',
      { type: 'submit', class: 'primary send', 'aria-label': 'Send' },
      icon('send'),
    );
    const submit = () => {
      const text = this.#input.value.trim();
      if (text === '') return;
      if (this.#blocked !== undefined) {
        setText(this.#hint, this.#blocked);
        return;
      }
      setText(this.#hint, '');
      this.#input.value = '';
      send(text);
    };
    this.#input.addEventListener('keydown', (event) => {
      // While an input method composes, Enter belongs to it.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      submit();
    });
    this.element = el(
      'form',
      {
        class: 'composer',
        onsubmit: (event) => {
          event.preventDefault();
          submit();
        },
      },
      el('div', { class: 'composer-row' }, this.#input, this.#button),
      this.#hint,
    );
  }

  /** Says to whom it goes; `blocked` says why nothing can be sent now. What is written stays. */
  update(placeholder: string, blocked: string | undefined): void {
    if (this.#input.placeholder !== placeholder) this.#input.placeholder = placeholder;
    if (blocked !== this.#blocked) setText(this.#hint, '');
    this.#blocked = blocked;
    this.#button.setAttribute('aria-disabled', String(blocked !== undefined));
  }

  focus(): void {
    this.#input.focus();
  }
}
