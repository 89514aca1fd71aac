// An open group: its head, the people, the conversations and the place to write.

import type { PeerId } from 'peer-group';
import type { Chat, Neighbor } from '../chat.js';
import type { Conversation } from '../conversation.js';
import { el, icon, setText } from '../dom.js';
import type { Whisper } from '../whisper.js';
import { Composer } from './composer.js';
import { Face } from './face.js';
import { Log } from './log.js';
import { People } from './people.js';
import { copyButton, Links, Share } from './share.js';
import { Trouble } from './trouble.js';

export interface RoomActions {
  close(): void;
  someoneElse(): void;
  withoutStorage(): void;
}

/** One conversation on the screen: its tab and its log. */
interface Talk {
  readonly conversation: Conversation;
  readonly peerId: PeerId | undefined;
  readonly tab: HTMLElement;
  readonly label: HTMLElement;
  readonly badge: HTMLElement;
  readonly log: Log;
}

let nextId = 1;

export class Room {
  readonly element: HTMLElement;
  readonly #chat: Chat;
  readonly #actions: RoomActions;
  readonly #online = el('span', { role: 'status' });
  readonly #as = el('span', { class: 'as' });
  readonly #status = el('p', { class: 'status' }, this.#online, this.#as);
  readonly #people: People;
  readonly #share: Share;
  readonly #invite: HTMLElement;
  readonly #face: Face;
  readonly #tabs = el('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Conversations' });
  readonly #logs = el('div', { class: 'logs' });
  readonly #empty: HTMLElement;
  readonly #whisperBar = el('div', { class: 'whisper-bar' });
  readonly #trouble = new Trouble();
  readonly #composer: Composer;
  readonly #talks: Talk[] = [];
  #current: Talk;
  #barShows = '';

  constructor(chat: Chat, actions: RoomActions) {
    this.#chat = chat;
    this.#actions = actions;
    this.#people = new People(chat, (to) => this.#whisperTo(to));
    this.#composer = new Composer((text) => this.#send(text));
    this.#face = new Face(chat.person.name, chat.group.peerId);
    const links = new Links(chat);
    const someoneElse = () => {
      this.#toggleShare(false);
      actions.someoneElse();
    };
    this.#share = new Share(links, someoneElse, () => this.#toggleShare(false));
    this.#invite = el(
      'button',
      {
        type: 'button',
        class: 'invite',
        'aria-label': 'Invite',
        'aria-expanded': 'false',
        onclick: () => this.#toggleShare(!this.#share.shown),
      },
      icon('link'),
      el('span', {}, 'Invite'),
    );
    this.#empty = el(
      'div',
      { class: 'empty' },
      el('h2', {}, 'You are the first one here'),
      el('p', {}, 'Send the link to somebody and stay here: you let them in.'),
      copyButton(
        () => links.get(20),
        () => this.#toggleShare(true),
      ),
      el(
        'button',
        { type: 'button', class: 'plain someone', onclick: actions.someoneElse },
        'Join as someone else in this window',
      ),
      el(
        'p',
        { class: 'hint' },
        'Nothing is stored on a server, so whoever is away misses what is said.',
      ),
    );
    this.element = el(
      'div',
      { class: 'room' },
      el(
        'header',
        { class: 'head' },
        this.#face.element,
        el(
          'div',
          { class: 'title' },
          el('h1', { tabindex: -1 }, el('bdi', {}, chat.name)),
          this.#status,
        ),
        this.#invite,
        el(
          'button',
          {
            type: 'button',
            class: 'icon-button',
            'aria-label': 'Close the group',
            title: 'Close the group',
            onclick: () => actions.close(),
          },
          icon('close'),
        ),
        this.#share.element,
      ),
      this.#people.element,
      el(
        'section',
        { class: 'talk', 'aria-label': 'Conversation' },
        this.#tabs,
        el('div', { class: 'stage' }, this.#logs, this.#empty),
        this.#whisperBar,
        this.#trouble.element,
        this.#composer.element,
      ),
    );
    this.#tabs.addEventListener('keydown', (event) => this.#onTabKey(event));
    this.#current = this.#add(chat.everyone, undefined);
    this.#choose(this.#current);
    chat.changed = () => this.#update();
    this.#update();
  }

  focus(): void {
    this.#composer.focus();
  }

  #update(): void {
    const chat = this.#chat;
    if (chat.closed) return;
    const neighbors = chat.neighbors();
    for (const [peerId, whisper] of chat.whispers) {
      if (!this.#talks.some((talk) => talk.peerId === peerId)) this.#add(whisper, peerId);
    }
    this.#face.name = chat.person.name;
    this.#people.update(neighbors);
    this.#showStatus(neighbors);
    for (const talk of this.#talks) this.#updateTalk(talk);
    const everyone = this.#current.peerId === undefined;
    const { state } = chat.group.status;
    this.#empty.hidden =
      !everyone || state !== 'listening' || neighbors.length > 0 || chat.everyone.lines.length > 0;
    this.#trouble.show(chat.trouble, {
      retry: () => {
        chat.trouble = undefined;
        void chat.connect();
      },
      'someone-else': this.#actions.someoneElse,
      'without-storage': this.#actions.withoutStorage,
    });
    this.#updateWriting(neighbors);
  }

  #showStatus(neighbors: readonly Neighbor[]): void {
    const { status } = this.#chat.group;
    const { name } = this.#chat.person;
    const count = neighbors.length;
    const online = count === 1 ? 'Online with 1 other' : `Online with ${count} others`;
    const words: Readonly<Record<typeof status.state, string>> = {
      disconnected: 'Offline',
      connecting: 'Looking for the others…',
      synchronizing: 'Coming in…',
      listening: 'Online, nobody else yet',
      online: count === 0 ? 'Online' : online,
      suspended: 'Asleep',
      closed: 'Closed',
    };
    const { state } = status;
    this.#status.setAttribute('data-state', state);
    setText(this.#online, words[state]);
    setText(this.#as, ` · as ${name}`);
  }

  #updateTalk(talk: Talk): void {
    talk.log.update();
    if (talk === this.#current && document.visibilityState === 'visible') {
      talk.conversation.unread = 0;
    }
    const { unread } = talk.conversation;
    if (talk.peerId !== undefined) setText(talk.label, this.#chat.nameOf(talk.peerId));
    setText(talk.badge, unread === 0 ? '' : String(unread));
    talk.badge.setAttribute('aria-label', unread === 0 ? '' : `${unread} unread`);
  }

  #updateWriting(neighbors: readonly Neighbor[]): void {
    const whisper = this.#whisper();
    if (whisper === undefined) {
      const alone = neighbors.length === 0;
      const blocked = alone
        ? 'Nobody else is here to read it. Your words stay until somebody is.'
        : undefined;
      this.#composer.update('Write to everyone', blocked);
      this.#showBar('');
      return;
    }
    const name = this.#chat.nameOf(whisper.peerId);
    const blocked = {
      open: undefined,
      opening: `Waiting for ${name}…`,
      closed: 'The whisper is closed. Open it again to write.',
    }[whisper.state];
    this.#composer.update(`Whisper to ${name}`, blocked);
    this.#showBar(whisper.state, whisper, name);
  }

  /** The state of a whisper, and the button that changes it. */
  #showBar(state: '' | Whisper['state'], whisper?: Whisper, name = ''): void {
    const shows = `${state}/${name}/${whisper?.peerId ?? ''}`;
    if (shows === this.#barShows) return;
    this.#barShows = shows;
    const hadFocus = this.#whisperBar.contains(document.activeElement);
    if (whisper === undefined) {
      this.#whisperBar.replaceChildren();
      return;
    }
    const words = {
      open: `A direct connection: only you and ${name} see this.`,
      opening: `Asking ${name}…`,
      closed: 'Closed.',
    }[whisper.state];
    const act = () => {
      if (whisper.state === 'closed') whisper.open();
      else whisper.close();
      this.#update();
    };
    const label = { open: 'Close whisper', opening: 'Cancel', closed: 'Open again' }[whisper.state];
    const button = el('button', { type: 'button', onclick: act }, label);
    this.#whisperBar.setAttribute('data-state', whisper.state);
    this.#whisperBar.replaceChildren(el('span', {}, words), button);
    if (hadFocus) button.focus();
  }

  #whisper(): Whisper | undefined {
    const { peerId } = this.#current;
    return peerId === undefined ? undefined : this.#chat.whispers.get(peerId);
  }

  #whisperTo(peerId: PeerId): void {
    const whisper = this.#chat.whisperWith(peerId);
    whisper.open();
    this.#update();
    const talk = this.#talks.find((other) => other.peerId === peerId);
    if (talk) this.#choose(talk);
    this.focus();
  }

  #send(text: string): void {
    const whisper = this.#whisper();
    if (whisper) void this.#chat.whisper(whisper, text);
    else void this.#chat.say(text);
  }

  #add(conversation: Conversation, peerId: PeerId | undefined): Talk {
    const name = peerId === undefined ? 'Everyone' : this.#chat.nameOf(peerId);
    const log = new Log(conversation, peerId === undefined ? 'What everyone says' : 'Whisper');
    const label = el('bdi', {}, name);
    const badge = el('span', { class: 'badge' });
    const id = `talk-${nextId++}`;
    const tab = el('button', { type: 'button', role: 'tab', id: `${id}-tab`, 'aria-controls': id });
    if (peerId !== undefined) tab.append(icon('whisper'));
    tab.append(label, badge);
    const panel = el(
      'div',
      { class: 'panel', role: 'tabpanel', id, 'aria-labelledby': `${id}-tab` },
      log.element,
    );
    const talk: Talk = { conversation, peerId, tab, label, badge, log };
    tab.addEventListener('click', () => this.#choose(talk));
    tab.setAttribute('aria-selected', 'false');
    tab.tabIndex = -1;
    panel.hidden = true;
    this.#talks.push(talk);
    this.#tabs.append(tab);
    this.#logs.append(panel);
    return talk;
  }

  #choose(talk: Talk): void {
    this.#current = talk;
    for (const other of this.#talks) {
      const chosen = other === talk;
      other.tab.setAttribute('aria-selected', String(chosen));
      other.tab.tabIndex = chosen ? 0 : -1;
      const panel = other.log.element.parentElement;
      if (panel) panel.hidden = !chosen;
    }
    talk.log.showEnd();
    this.#update();
  }

  #onTabKey({ key }: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step === undefined) return;
    const { length } = this.#talks;
    const talk = this.#talks[(this.#talks.indexOf(this.#current) + step + length) % length];
    if (talk === undefined) return;
    this.#choose(talk);
    talk.tab.focus();
  }

  #toggleShare(on: boolean): void {
    this.#share.show(on);
    this.#invite.setAttribute('aria-expanded', String(on));
    if (!on) this.#invite.focus();
  }
}
