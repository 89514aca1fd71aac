// What members of this chat send each other. Everything that comes in is somebody else's: it is
// checked and cut to size before it goes any further.

import { cleanName } from './names.js';

/** The message types, as `send` and 'incoming-data' carry them. */
export const HELLO = 'hello';
export const TEXT = 'text';

export const TEXT_LENGTH = 4000;

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
