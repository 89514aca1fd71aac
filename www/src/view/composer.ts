// Where a message is written. Enter sends, Shift+Enter begins a new line.

import { el, icon, setText } from '../dom.js';
import { TEXT_LENGTH } from '../messages.js';

export class Composer {
  readonly element: HTMLFormElement;
  readonly #input: HTMLTextAreaElement;
  readonly #button: HTMLButtonElement;
  readonly #hint = el('p', { class: 'composer-hint', role: 'status' });
  #blocked: string | undefined;

  /** `send` gets what was written, without surrounding space, never empty; false: it was not sent. */
  constructor(send: (text: string) => Promise<boolean>) {
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
    const submit = async () => {
      const text = this.#input.value.trim();
      if (text === '') return;
      if (this.#blocked !== undefined) {
        setText(this.#hint, this.#blocked);
        return;
      }
      setText(this.#hint, '');
      this.#input.value = '';
      if (await send(text)) return;
      // Back to where it was, before what was begun since.
      const { value } = this.#input;
      this.#input.value = value === '' ? text : `${text}\n${value}`;
    };
    this.#input.addEventListener('keydown', (event) => {
      // While an input method composes, Enter belongs to it.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void submit();
    });
    this.element = el(
      'form',
      {
        class: 'composer',
        onsubmit: (event) => {
          event.preventDefault();
          void submit();
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
