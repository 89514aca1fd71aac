// The round picture of a person: the first letter on a color that belongs to the peer id.

import type { PeerId } from 'peer-group';
import { el, setText } from '../dom.js';
import { hue, initial } from '../names.js';

export class Face {
  readonly element = el('span', { class: 'face', 'aria-hidden': 'true' });

  constructor(name: string, peerId?: PeerId) {
    if (peerId !== undefined) this.element.style.setProperty('--hue', String(hue(peerId)));
    this.name = name;
  }

  set name(name: string) {
    setText(this.element, initial(name));
  }
}
