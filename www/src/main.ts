// Starts the chat: who sits in this window, and the invitation that the address may carry.

import { el, setText } from './dom.js';
import { ME, saveSeated, seated } from './memory.js';
import { Pane, ready } from './pane.js';

const PEOPLE_AT_MOST = 4;

const place = document.querySelector('#window');
const tabs = document.querySelector<HTMLElement>('#people');
const panes: Pane[] = [];
let front: Pane | undefined;

/** The invitation in the address, which does not stay there: not in history, not over a shoulder. */
function takeInvitation(): string | undefined {
  const text = location.hash.slice(1);
  if (text === '') return undefined;
  history.replaceState(history.state, '', location.pathname + location.search);
  return text;
}

function seat(id: string, invitation?: string): Pane {
  const pane: Pane = new Pane(id, {
    someoneElse,
    remove: () => remove(pane),
    changed: showPeople,
  });
  panes.push(pane);
  place?.append(pane.element);
  bringToFront(pane);
  void pane.start(invitation);
  return pane;
}

/** A second person beside the first, with a store, a key and a membership of its own. */
function someoneElse(invitation: string): void {
  const taken = panes.map(({ person }) => person.id);
  const ids = Array.from({ length: PEOPLE_AT_MOST - 1 }, (_, i) => `guest-${i + 1}`);
  const id = ids.find((free) => !taken.includes(free));
  if (id === undefined) return;
  const pane = seat(id, invitation);
  rememberSeated();
  pane.focusWhenShown();
}

function remove(pane: Pane): void {
  panes.splice(panes.indexOf(pane), 1);
  pane.element.remove();
  rememberSeated();
  const [first] = panes;
  if (first) bringToFront(first);
}

function rememberSeated(): void {
  saveSeated(panes.map(({ person }) => person.id));
}

/** Where the window is narrow, one person is seen at a time. */
function bringToFront(pane: Pane): void {
  front = pane;
  for (const other of panes) other.element.classList.toggle('front', other === front);
  showPeople();
}

function showPeople(): void {
  document.body.classList.toggle('several', panes.length > 1);
  document.body.classList.toggle('full', panes.length >= PEOPLE_AT_MOST);
  if (tabs) {
    tabs.hidden = panes.length < 2;
    tabs.replaceChildren(...panes.map(personButton));
  }
  document.title = panes[0]?.groupName ?? 'Group chat';
}

function personButton(pane: Pane): HTMLElement {
  const button = el('button', { type: 'button', onclick: () => bringToFront(pane) });
  if (pane === front) button.setAttribute('aria-current', 'true');
  setText(button, pane.title);
  return button;
}

// Early, so that creating and joining need not wait. A failure is told where the engine is needed.
ready().catch(() => {});
const invitation = takeInvitation();
for (const id of seated()) seat(id, id === ME ? invitation : undefined);
const [owner] = panes;
if (owner) bringToFront(owner);

addEventListener('hashchange', () => {
  const text = takeInvitation();
  if (text !== undefined && owner) {
    bringToFront(owner);
    void owner.invited(text);
  }
});
// Going away says goodbye at once; a page that comes back from the browser's cache begins anew.
addEventListener('pagehide', () => {
  for (const pane of panes) pane.leavePage();
});
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) location.reload();
});
