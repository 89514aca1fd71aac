// Words for every failure: what happened, and what the person can do about it.

import { PeerError, type PeerErrorCode, type Role } from 'peer-group';

/** What a button beside the words does. */
export type Remedy = 'retry' | 'without-storage' | 'someone-else' | 'seen' | 'password' | 'forget';

export interface Words {
  readonly code: PeerErrorCode | 'unknown';
  readonly title: string;
  readonly advice: string;
  readonly remedies: readonly Remedy[];
}

type Row = readonly [title: string, advice: string, ...remedies: Remedy[]];

const SERVER_DOWN: Row = [
  'The server cannot be reached',
  'It introduces people to each other, and it does not answer. Check your network; if others have the same trouble, the server is down. This page keeps trying.',
  'retry',
];
const NO_STORAGE: Row = [
  'This browser does not let the page store anything',
  'Your key and your groups live in this browser’s storage. Allow cookies and site data for this page, or go on without: then you are a stranger again after closing it.',
  'without-storage',
  'retry',
];
const NO_WAY_THROUGH: Row = [
  'No way through the network was found',
  'Somebody is there, but your two networks do not let browsers talk directly. Another network, such as a phone’s, often helps. This page keeps trying.',
  'retry',
];
const NOT_LET_IN: Row = [
  'Nobody here lets you in',
  'Who came in with a link cannot let others in with it: it takes somebody from before, best whoever made it. Ask them to open the group, and keep this page open: it keeps trying.',
  'retry',
];
const BAD_INVITATION: Row = [
  'This invitation is damaged',
  'Part of the link is missing or was changed on the way. Ask for it again and copy the whole link.',
];

const TABLE: Partial<Record<PeerErrorCode, Row>> = {
  'service-not-available': SERVER_DOWN,
  'unable-to-listen': SERVER_DOWN,
  'no-members-found': [
    'Nobody of the group is online',
    'Somebody who is already in the group must have it open to let you in. Ask one of them to open it, and keep this page open: it keeps looking.',
    'retry',
  ],
  'no-member-connections': NO_WAY_THROUGH,
  'connection-failed': NO_WAY_THROUGH,
  timeout: [
    'It took too long',
    'The network may be slow, or somebody left in the middle of it.',
    'retry',
  ],
  'invitation-used-up': [
    'This invitation is used up',
    'It let in as many people as it was made for. Ask whoever sent it for a new link.',
  ],
  'invitation-revoked': [
    'This invitation was withdrawn',
    'It lets nobody in any more, and whoever came in by it is out. Ask somebody in the group for a new one.',
    'forget',
  ],
  'invitation-not-trusted': BAD_INVITATION,
  'invalid-peer-name': BAD_INVITATION,
  'invalid-argument': BAD_INVITATION,
  'invalid-time-period': [
    'This invitation is not valid now',
    'It has ended, or the clock of this device is wrong. Check date and time, or ask for a new link.',
    'retry',
  ],
  'unsupported-platform': [
    'This browser cannot talk to others directly',
    'It has no WebRTC, or it is switched off by a setting or an extension. Use a current Firefox, Chrome, Edge or Safari, or switch it on, and reload.',
  ],
  'no-key-access': NO_STORAGE,
  'access-denied': [
    'The server does not let this page in',
    'It is for those whose page or token it knows. Whoever runs it can allow this page.',
    'retry',
  ],
  'storage-full': [
    'This browser’s storage is full or blocked',
    'Free some space, or allow cookies and site data for this page. You can go on without: then you are a stranger again after closing it.',
    'without-storage',
    'retry',
  ],
  'group-in-use': [
    'You have this group open in another tab',
    'One person is in a group once. Go on in the other tab, or close the group there and try again here. To try the chat alone, come in as someone else.',
    'retry',
    'someone-else',
  ],
  'connection-refused': ['They do not take whispers now', 'Write to everyone, or try later.'],
  'node-not-found': ['They are not online', 'Try again when they are back.'],
  'connection-not-found': ['The connection is gone', 'They may have left meanwhile.'],
  'message-too-large': ['That message is too long', 'Send it in parts.'],
  'rate-limited': ['That was too much at once', 'Wait a moment, then try again.', 'retry'],
  'credential-revoked': [
    'You were removed from this group',
    'What you read so far stays here until its day is over; nothing new reaches you. Only an admin can let you in again.',
    'forget',
  ],
  'wrong-password': [
    'That is not the password',
    'A member of the group has checked it. Mind capitals and spaces, or ask whoever invited you.',
    'password',
  ],
  'password-does-not-meet-policy': [
    'That password is too easy to guess',
    'Three or four words that have nothing to do with each other make a good one.',
  ],
  'not-authorized': [
    'You may not do that in this group',
    'It takes somebody with another role. Ask an admin.',
  ],
  'unsupported-version': [
    'You run different versions of this chat',
    'Reload this page; if that does not help, the others must reload theirs.',
  ],
  'not-initialized': [
    'The chat did not load completely',
    'Part of it did not come over the network. Check the connection and reload this page.',
  ],
  'not-found': [
    'This group is no longer stored here',
    'The browser’s data was cleared. Ask for a new link.',
  ],
};

const NO_CARD: Row = [
  'That is no card',
  'It begins with “pg-card:”. Ask for it again, and paste all of it.',
];

/** The codes whose own words say more than ours: a reason that somebody gave, a rule that was broken. */
const OWN_WORDS: readonly PeerErrorCode[] = [
  'credential-revoked',
  'invitation-revoked',
  'password-does-not-meet-policy',
];

/** The words for whatever was thrown. `inviting`: with what was typed for an invitation. */
export function explain(error: unknown, inviting?: 'invite'): Words {
  if (!(error instanceof PeerError)) {
    const advice = error instanceof Error ? error.message : String(error);
    return { code: 'unknown', title: 'Something went wrong', advice, remedies: ['retry'] };
  }
  const { code } = error;
  if (code === 'clock-skew') return { code, remedies: ['retry'], ...clock(error) };
  const noCard = inviting !== undefined && TABLE[code] === BAD_INVITATION;
  const row = noCard ? NO_CARD : wasRefused(error) ? NOT_LET_IN : TABLE[code];
  if (row === undefined) {
    return { code, title: 'Something went wrong', advice: error.message, remedies: ['retry'] };
  }
  const [title, general, ...remedies] = row;
  const own = OWN_WORDS.includes(code) ? `${sentence(error.message)} ` : '';
  return { code, title, advice: own + general, remedies };
}

/** Words of the engine, as people write. */
export function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`.replace(/([.!?])\.$/, '$1');
}

/** Members are there and were reached, but none let us in. */
function wasRefused({ code, evidence }: PeerError): boolean {
  return code === 'no-member-connections' && evidence?.stage === 'handshake';
}

/** What was tried with something that is kept. */
export type Keeping = 'say' | 'edit' | 'delete' | 'read' | 'others';

const NOT_DONE: Readonly<Record<Keeping, string>> = {
  say: 'It was not sent, and what you wrote is still there.',
  edit: 'The message is as it was.',
  delete: 'The message is still there.',
  read: 'Something may be missing on the screen.',
  others: '',
};

const KEEPING: Partial<Record<PeerErrorCode, Row>> = {
  'storage-full': [
    'This browser’s storage is full or blocked',
    'What you write is kept here before anybody gets it. Free some space, or allow site data for this page, then try again.',
  ],
  'group-not-ready': [
    'You are not in yet',
    'Nobody of the group has let you in so far. Keep this page open, and try again when somebody is here.',
  ],
  'out-of-memory': [
    'There is no room for more',
    'A group keeps so much of each person and no more. Delete some of your messages, or wait: each ends a day after it was written.',
  ],
  'max-record-size-exceeded': ['That message is too long', 'Send it in parts.'],
  'record-not-found': ['That message is gone', 'It was deleted, or its day is over.'],
  'invalid-record': [
    'Somebody changed it meanwhile',
    'Read it again before you change it once more.',
  ],
  'not-authorized': [
    'That is not yours to change',
    'Messages are changed and deleted by whoever wrote them, or by whoever runs the group.',
  ],
  'invalid-record-expiration': [
    'Your membership ends too soon',
    'A message is kept for a day, and nothing outlives the membership of its writer. Ask for a new link.',
  ],
};

/** Others' words that this browser cannot keep. */
const OTHERS: Row = [
  'What the others write is not kept here',
  'This browser’s storage is full or blocked. You read it now, and this page tries again; until then it is gone from here after a reload, and comes back from the others when they are online.',
];

/** The words for what was to be kept, changed or read and was not. */
export function explainRecord(error: unknown, keeping: Keeping): Words {
  const told = explain(error);
  const row = error instanceof PeerError ? KEEPING[error.code] : undefined;
  const [title, advice] = (keeping === 'others' ? OTHERS : row) ?? [told.title, told.advice];
  return {
    code: told.code,
    title,
    advice: `${NOT_DONE[keeping]} ${advice}`.trim(),
    remedies: ['seen'],
  };
}

function clock({ evidence }: PeerError): { title: string; advice: string } {
  const offset = evidence?.clockOffsetMs;
  const known = offset !== undefined && Math.abs(offset) >= 60_000;
  const by = known ? ` By the server’s time it is off by ${span(Math.abs(offset))}.` : '';
  return {
    title: 'A clock is wrong',
    advice: `Memberships have a beginning and an end, so clocks must agree.${by} Set date and time of this device (best: automatically), then try again. If it is right here, the other device is wrong.`,
  };
}

const UNITS: readonly (readonly [ms: number, one: string])[] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
];

/** A length of time for people: "about 2 hours". */
export function span(ms: number): string {
  for (const [size, one] of UNITS) {
    const count = Math.round(ms / size);
    if (count >= 1) return `about ${count} ${one}${count === 1 ? '' : 's'}`;
  }
  return 'less than a minute';
}

/** What a role is called where one is given. */
export function roleWords(role: Role): string {
  return ROLE_WORDS[role];
}

const ROLE_WORDS: Readonly<Record<Role, string>> = {
  member: 'member',
  'inviting-member': 'member who may invite',
  admin: 'admin: invites and removes',
};

/** What is said where people are invited. */
export const INVITING = {
  link: 'Whoever opens this link comes in, while somebody is online who may invite. It works for 7 days.',
  card: 'Nobody else can use this link, whoever gets hold of it.',
  password:
    'Whoever opens this link is asked for the password, which is not in it: say it in another way.',
  handedOn:
    'This is the link you came in with. Others can use it too, while somebody is online who may invite.',
  mayNot: 'You came in by a link for you alone, and members invite nobody. Ask an admin to do it.',
  whereCard: 'They copy it from the first page of this chat and send it to you.',
  withdrawn: 'Withdrawn. It lets nobody in any more, and whoever came in by it is out.',
  alone: 'Alone at the moment? See how it works with a second person beside you.',
} as const;

/** What is said when it is done. */
export const said = {
  forgotten: (group: string) => `${group} is forgotten here.`,
  left: (group: string) => `You left ${group}.`,
  memberLeft: (name: string) => `${name} left the group for good.`,
  memberRemoved: (name: string) => `${name} was removed from the group.`,
} as const;

/** What is said where a membership is about to end. */
export const ENDING = {
  remove:
    'They are out at once, everywhere, and what is written from now on does not reach them. Only an admin can let them in again.',
  leave:
    'The group is forgotten in this browser. What you wrote stays with the others until its day is over. To come back you need a new invitation.',
  creator: 'You made this group: nobody else can change what it is called, or its password.',
  isOut: 'You are no longer in this group.',
} as const;
