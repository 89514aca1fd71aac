// An open group: its head, the people, the conversations and the place to write.

import type { PeerId } from 'peer-group';
import type { Chat, Neighbor } from '../chat.js';
import { el, icon, setText } from '../dom.js';
import { Topic } from '../history.js';
import { Whisper } from '../whisper.js';
import { ENDING } from '../words.js';
import { Composer } from './composer.js';
import { copyButton } from './copy.js';
import { Face } from './face.js';
import { Members } from './members.js';
import { newTopic } from './newtopic.js';
import { People } from './people.js';
import { Roster } from './roster.js';
import { Share } from './share.js';
import { type Listed, Talks } from './talks.js';
import { Trouble } from './trouble.js';

export interface RoomActions {
  close(): void;
  someoneElse(): void;
  withoutStorage(): void;
  /** The one that was given was wrong. */
  askPassword(): void;
  /** The person is out of it, and has seen that. */
  forget(): void;
  /** The person has left it. */
  left(): void;
}

/** What the topic is called in which all is said that has no other. */
const GENERAL = 'General';

export class Room {
  readonly element: HTMLElement;
  readonly #chat: Chat;
  readonly #actions: RoomActions;
  readonly #online = el('span', { role: 'status' });
  readonly #as = el('span', { class: 'as' });
  readonly #status = el('p', { class: 'status' }, this.#online, this.#as);
  readonly #people: People;
  readonly #members: Members;
  readonly #share: Share;
  readonly #roster: Roster;
  readonly #face: Face;
  readonly #talks: Talks;
  readonly #empty: HTMLElement;
  readonly #whisperBar = el('div', { class: 'whisper-bar' });
  readonly #trouble = new Trouble();
  readonly #composer: Composer;
  #barShows = '';

  constructor(chat: Chat, actions: RoomActions) {
    this.#chat = chat;
    this.#actions = actions;
    this.#people = new People(chat, (to) => this.#whisperTo(to));
    this.#members = new Members(chat.membership);
    this.#people.element.querySelector('.check')?.before(this.#members.element);
    const { history } = chat;
    this.#talks = new Talks(
      history.general,
      {
        edit: (line, text) => history.edit(line, text),
        remove: (line) => history.remove(line),
      },
      () => this.#update(),
    );
    this.#composer = new Composer((text) => this.#send(text));
    this.#face = new Face(chat.person.name, chat.group.peerId);
    this.element = el('div', { class: 'room' });
    this.#share = new Share(this.element, chat.invitations, actions.someoneElse);
    this.#roster = new Roster(this.element, chat, actions.left);
    const roster = el(
      'button',
      {
        type: 'button',
        class: 'icon-button open-roster',
        'aria-label': 'Members',
        title: 'Members',
        'aria-haspopup': 'dialog',
        onclick: () => this.#roster.show(),
      },
      icon('person'),
    );
    const invite = el(
      'button',
      {
        type: 'button',
        class: 'invite',
        'aria-label': 'Invite',
        'aria-haspopup': 'dialog',
        onclick: () => this.#share.show(),
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
        () => chat.invitations.link(),
        () => this.#share.show(),
      ),
      el(
        'button',
        { type: 'button', class: 'plain someone', onclick: actions.someoneElse },
        'Join as someone else in this window',
      ),
      el(
        'p',
        { class: 'hint' },
        'What you say is kept for a day by everyone in the group, so whoever comes later reads it too. No server keeps it.',
      ),
    );
    this.element.append(
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
        invite,
        roster,
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
      ),
      this.#people.element,
      el(
        'section',
        { class: 'talk', 'aria-label': 'Conversation' },
        el(
          'div',
          { class: 'talks' },
          this.#talks.tabs,
          newTopic((title) => this.#begin(title)),
        ),
        el('div', { class: 'stage' }, this.#talks.logs, this.#empty),
        this.#whisperBar,
        this.#trouble.element,
        this.#composer.element,
      ),
    );
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
    this.#face.name = chat.person.name;
    this.#people.update(neighbors);
    this.#members.update();
    this.#roster.update();
    this.#showStatus(neighbors);
    this.#talks.update(this.#listed());
    const { general, trouble } = chat.history;
    const { state } = chat.group.status;
    this.#empty.hidden =
      this.#talks.current !== general ||
      state !== 'listening' ||
      neighbors.length > 0 ||
      general.lines.length > 0;
    this.#trouble.show(trouble ?? chat.trouble, {
      seen: () => {
        chat.history.trouble = undefined;
        this.#update();
        this.focus();
      },
      retry: () => {
        chat.trouble = undefined;
        void chat.connect();
      },
      'someone-else': this.#actions.someoneElse,
      'without-storage': this.#actions.withoutStorage,
      password: this.#actions.askPassword,
      forget: this.#actions.forget,
    });
    this.#updateWriting();
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

  /** What there is to talk in. */
  #listed(): Listed[] {
    const { history, whispers } = this.#chat;
    const topics = history.topics.map((topic) => {
      return { conversation: topic, label: topic.title || GENERAL, whisper: false };
    });
    const pairs = [...whispers].map(([peerId, whisper]) => {
      return { conversation: whisper, label: this.#chat.membership.nameOf(peerId), whisper: true };
    });
    return [...topics, ...pairs];
  }

  #updateWriting(): void {
    const { current } = this.#talks;
    if (!(current instanceof Whisper)) {
      const title = current instanceof Topic ? current.title : '';
      const to = title === '' ? 'Write to everyone' : `Write about ${title}`;
      this.#composer.update(to, this.#chat.isOut ? ENDING.isOut : undefined);
      this.#showBar('');
      return;
    }
    const whisper = current;
    const name = this.#chat.membership.nameOf(whisper.peerId);
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

  #whisperTo(peerId: PeerId): void {
    const whisper = this.#chat.whisperWith(peerId);
    whisper.open();
    this.#talks.choose(whisper);
    this.focus();
  }

  async #begin(title: string): Promise<boolean> {
    const topic = await this.#chat.history.begin(title);
    if (topic === undefined) return false;
    this.#talks.choose(topic);
    this.focus();
    return true;
  }

  async #send(text: string): Promise<boolean> {
    const { current } = this.#talks;
    if (current instanceof Topic) return this.#chat.say(current, text);
    // What became of a whispered line stands under it.
    if (current instanceof Whisper) await this.#chat.whisper(current, text);
    return true;
  }
}
