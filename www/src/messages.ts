// What members of this chat send each other and keep. Everything that comes in is somebody else's:
// it is checked and cut to size before it goes any further.

import type { NewRecord, PeerRecord } from 'peer-group';
import { cleanName } from './names.js';

/** The message types, as `send` and 'incoming-data' carry them. */
export const HELLO = 'hello';
export const TEXT = 'text';

/** The record types: what is said to everyone, and what it is said about. */
export const MESSAGE = 'chat/message';
export const TOPIC = 'chat/topic';

export const TEXT_LENGTH = 4000;
const DAY_MS = 86_400_000;
/** A message is kept for a day; a topic longer, for messages of its second day. */
const TOPIC_LIFE_MS = 2 * DAY_MS;

/** How a member calls itself. */
export function hello(name: string): string {
  return JSON.stringify({ name });
}

export function readHello(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('name' in value)) return undefined;
    const name = typeof value.name === 'string' ? cleanName(value.name) : '';
    return name === '' ? undefined : name;
  } catch {
    return undefined;
  }
}

export function readText(text: string): string {
  return text.slice(0, TEXT_LENGTH).trim();
}

/** Something said to everyone, to be kept. The topic without a title is the general one. */
export function newMessage(name: string, topic: string, text: string): NewRecord {
  return { type: MESSAGE, attributes: { name, topic }, data: encode(text), expires: DAY_MS };
}

export interface Message {
  readonly name: string;
  readonly topic: string;
  readonly text: string;
}

export function readMessage({ attributes, data }: PeerRecord): Message {
  return {
    name: attribute(attributes, 'name'),
    topic: attribute(attributes, 'topic'),
    text: readText(new TextDecoder().decode(data)),
  };
}

export function newTopic(title: string): NewRecord {
  return { type: TOPIC, attributes: { topic: title }, expires: TOPIC_LIFE_MS };
}

export function readTopic({ attributes }: PeerRecord): string {
  return attribute(attributes, 'topic');
}

/** Whether a topic outlives a message that is written now, in peer time. */
export function outlastsMessage({ expires }: PeerRecord, now: Date): boolean {
  return expires.getTime() > now.getTime() + DAY_MS;
}

export function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function attribute(attributes: PeerRecord['attributes'], name: string): string {
  const value = attributes[name];
  return typeof value === 'string' ? cleanName(value) : '';
}
