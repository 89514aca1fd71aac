// Beginning a topic: a button that becomes a field for its title.

import { el, icon } from '../dom.js';
import { cleanName, NAME_LENGTH } from '../names.js';

/** `begin` gets the title; true when the topic is there. */
export function newTopic(begin: (title: string) => Promise<boolean>): HTMLElement {
  const input = el('input', {
    name: 'topic',
    required: true,
    maxlength: NAME_LENGTH,
    autocomplete: 'off',
    placeholder: 'Title of the topic',
    'aria-label': 'Title of the topic',
  });
  const open = el(
    'button',
    { type: 'button', class: 'new-topic', 'aria-label': 'New topic', title: 'New topic' },
    icon('plus'),
    el('span', {}, 'New topic'),
  );
  const cancel = el('button', { type: 'button', class: 'plain' }, 'Cancel');
  const form = el(
    'form',
    { class: 'topic-form', hidden: true },
    input,
    el('button', { type: 'submit', class: 'primary' }, 'Begin'),
    cancel,
  );
  const writing = (on: boolean) => {
    form.hidden = !on;
    open.hidden = on;
    if (on) input.focus();
  };
  const back = () => {
    writing(false);
    open.focus();
  };
  open.addEventListener('click', () => {
    input.value = '';
    writing(true);
  });
  cancel.addEventListener('click', back);
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') back();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    input.value = cleanName(input.value);
    if (!input.reportValidity()) return;
    void begin(input.value).then((done) => {
      if (done) writing(false);
    });
  });
  return el('div', { class: 'topic-place' }, open, form);
}
