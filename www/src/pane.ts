// One person's part of the window: what is shown, and what leads from one thing to the next.

import { type GroupId, Identity, type InvitationInfo, init, PeerGroup } from 'peer-group';
import { Chat } from './chat.js';
import { el } from './dom.js';
import { invitationIn } from './link.js';
import {
  forget,
  type KnownGroup,
  keepInMemory,
  ME,
  type Person,
  person,
  save,
  saveSession,
  session,
  storageOf,
} from './memory.js';
import { Home, type HomeActions } from './view/home.js';
import { Invited } from './view/invited.js';
import { Room } from './view/room.js';
import { explain, said } from './words.js';

/** Loads the engine, which alone can read an invitation. */
let loading: Promise<unknown> | undefined;
export function ready(): Promise<unknown> {
  loading ??= init().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** What others need to invite only this person; it says what the person is called. */
async function cardOf(person: Person): Promise<string> {
  const identity = await Identity.default({ storage: storageOf(person) });
  if (identity.name !== person.name) await identity.setName(person.name);
  return identity.card();
}

export interface PaneActions {
  /** Gives a second person this invitation. */
  someoneElse(invitation: string): void;
  /** Takes this person out of the window. */
  remove(): void;
  /** The person has another name, or another group. */
  changed(): void;
}

export class Pane {
  readonly element: HTMLElement;
  readonly person: Person;
  readonly #actions: PaneActions;
  readonly #body = el('div', { class: 'pane-body' });
  readonly #leaveButton: HTMLElement;
  #chat: Chat | undefined;
  /** Counts what was begun; what was overtaken does not get on the screen. */
  #turn = 0;
  #takesFocus = false;

  constructor(id: string, actions: PaneActions) {
    this.person = person(id);
    this.#actions = actions;
    this.element = el('section', { class: 'pane', 'data-person': id }, this.#body);
    const remove = () => void this.close().then(() => actions.remove());
    this.#leaveButton = el(
      'button',
      { type: 'button', class: 'plain leave', onclick: remove },
      'Take this person out of the window',
    );
    this.element.append(this.#leaveButton);
  }

  get title(): string {
    return this.person.name === '' ? 'Someone else' : this.person.name;
  }

  get groupName(): string | undefined {
    return this.#chat?.name;
  }

  /** Shows where this person was before the page was loaded. */
  async start(invitation?: string): Promise<void> {
    const { open, invitation: unanswered } = session(this.person.id);
    const known = this.person.groups.find(({ groupId }) => groupId === open);
    const pending = invitation ?? unanswered;
    if (pending !== undefined) await this.invited(pending);
    else if (known) await this.#open(known);
    else await this.#home();
  }

  /** Takes a link or the text of an invitation. */
  async invited(text: string): Promise<void> {
    const invitation = invitationIn(text);
    let info: InvitationInfo;
    try {
      await ready();
      info = PeerGroup.parseInvitation(invitation);
    } catch (error) {
      saveSession(this.person.id, {});
      await this.#home(error);
      return;
    }
    const known = this.person.groups.find(({ groupId }) => groupId === info.groupId);
    saveSession(this.person.id, { invitation });
    const turn = await this.#leave();
    if (turn !== this.#turn) return;
    // Who is in the group already only comes back.
    if (known) {
      await this.#open(known);
      return;
    }
    this.#invitation(invitation, info);
  }

  /** The next thing shown takes the keyboard's focus. */
  focusWhenShown(): void {
    this.#takesFocus = true;
  }

  async close(): Promise<void> {
    await this.#leave();
    saveSession(this.person.id, {});
  }

  /** The page goes away; the person is back where it was after a reload. */
  leavePage(): void {
    void this.#chat?.close();
  }

  /** `said`: what has just happened. */
  async #home(error?: unknown, said?: string): Promise<void> {
    const turn = await this.#leave();
    if (turn !== this.#turn) return;
    const actions: HomeActions = {
      rename: (name) => this.#rename(name),
      create: (name, password) =>
        void this.#enter(() => Chat.create(this.person, name, password), view),
      open: (group) => void this.#enter(() => Chat.open(this.person, group), view),
      paste: (text) => void this.invited(text),
      forget: (group) => void this.#delete(group.groupId).then(() => view.update()),
      card: () => cardOf(this.person),
    };
    const view: Home = new Home(this.person, actions, said);
    if (error !== undefined) view.trouble.show(explain(error));
    this.#show(view.element);
  }

  async #open(group: KnownGroup): Promise<void> {
    const view = {};
    const failed = await this.#enter(() => Chat.open(this.person, group), view);
    if (failed !== undefined) await this.#home(failed);
  }

  async #delete(groupId: GroupId): Promise<void> {
    try {
      await PeerGroup.delete(groupId, { storage: storageOf(this.person) });
    } catch {
      // It was not stored any more; it goes from the list all the same.
    }
    forget(this.person, groupId);
  }

  /** What an invitation says. `chat`: it was taken, and the password was wrong. */
  #invitation(invitation: string, info: InvitationInfo, chat?: Chat): void {
    const view: Invited = new Invited(this.person, info, {
      decline: () => void this.#decline(),
      join: (name, password) => {
        this.#rename(name);
        if (this.#chat) void this.#knock(this.#chat, view, password);
        else void this.#enter(() => Chat.join(this.person, invitation, password), view);
      },
    });
    this.#show(view.element);
    if (chat) view.askAgain(chat.trouble);
  }

  async #decline(): Promise<void> {
    const chat = this.#chat;
    // What was taken and never let in is given up; what fails of that is only left behind.
    await chat?.leave().catch(() => {});
    saveSession(this.person.id, {});
    await this.#home();
  }

  /** Comes in by password: what is on the screen stays there until it is not that which is wrong. */
  async #knock(chat: Chat, view: Invited, password?: string): Promise<void> {
    view.busy = true;
    await chat.connect(password);
    if (this.#chat !== chat) return;
    view.busy = false;
    if (chat.wantsPassword) view.askAgain(chat.trouble);
    else this.#room(chat);
  }

  /** Opens a group and goes online in it. What failed before that stays where it was begun. */
  async #enter(
    enter: () => Promise<Chat>,
    view: Partial<Pick<Home, 'busy' | 'trouble'>>,
  ): Promise<unknown> {
    const turn = ++this.#turn;
    view.busy = true;
    view.trouble?.show(undefined);
    let chat: Chat;
    try {
      chat = await enter();
    } catch (error) {
      if (turn !== this.#turn) return undefined;
      view.busy = false;
      const retry = () => void this.#enter(enter, view);
      view.trouble?.show(explain(error), {
        retry,
        'without-storage': () => {
          keepInMemory(this.person);
          retry();
        },
      });
      return error;
    }
    if (turn !== this.#turn) {
      await chat.close();
      return undefined;
    }
    this.#chat = chat;
    saveSession(this.person.id, { open: chat.group.groupId });
    if (view instanceof Invited && view.asks) {
      await this.#knock(chat, view);
    } else {
      this.#room(chat);
      await chat.connect();
    }
    return undefined;
  }

  #room(chat: Chat): void {
    const { invitation, name } = chat;
    const { groupId } = chat.group;
    const room = new Room(chat, {
      close: () => void this.close().then(() => this.#home()),
      someoneElse: () => void this.#someoneElse(chat),
      withoutStorage: () => keepInMemory(this.person),
      askPassword: () => {
        if (invitation === undefined) return;
        this.#invitation(invitation, PeerGroup.parseInvitation(invitation), chat);
      },
      forget: () =>
        void this.close()
          .then(() => this.#delete(groupId))
          .then(() => this.#home(undefined, said.forgotten(name))),
      left: () => {
        saveSession(this.person.id, {});
        void this.#home(undefined, said.left(name));
      },
    });
    this.#show(room.element);
    room.focus();
  }

  async #someoneElse(chat: Chat): Promise<void> {
    try {
      const link = await chat.invitations.link();
      this.#actions.someoneElse(link);
    } catch (error) {
      chat.trouble = explain(error);
      chat.changed();
    }
  }

  #rename(name: string): void {
    this.person.name = name;
    save(this.person);
    this.#actions.changed();
  }

  /** Ends what is open, and begins a new turn. */
  async #leave(): Promise<number> {
    const turn = ++this.#turn;
    const chat = this.#chat;
    this.#chat = undefined;
    await chat?.close();
    return turn;
  }

  #show(view: HTMLElement): void {
    const takesFocus = this.#takesFocus || this.element.contains(document.activeElement);
    this.#takesFocus = false;
    this.#body.replaceChildren(view);
    this.#leaveButton.hidden = this.person.id === ME || this.#chat !== undefined;
    this.#actions.changed();
    if (takesFocus) view.querySelector<HTMLElement>('h1')?.focus();
  }
}
