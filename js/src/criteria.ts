// Attributes, expiry and searches as the app writes them, in the engine's form.

import { PeerError } from './errors.js';
import type { AttributeRow, AttributeValue, SearchRow } from './generated/peer_group.js';
import { noSuch } from './nearest.js';

/** Attributes of a record: one value or several under each name of letters and digits. */
export type Attributes = Readonly<Record<string, AttributeValue | readonly AttributeValue[]>>;

/** Which records are looked for: one clause, or several joined. */
export type Search =
  | { readonly and: readonly Search[] }
  | { readonly or: readonly Search[] }
  | {
      /** An attribute, or one of the fields of every record: peercreatorid, peerlastmodifiedby,
       *  peercreationtime, peerlastmodificationtime, peerrecordid, peerrecordtype. */
      readonly attribute: string;
      readonly is?: AttributeValue;
      readonly not?: AttributeValue;
      /** `*` stands for any run, `?` for one character, `\` before one of these three for itself. */
      readonly like?: string;
      readonly below?: AttributeValue;
      readonly atMost?: AttributeValue;
      readonly above?: AttributeValue;
      readonly atLeast?: AttributeValue;
    };

const COMPARISONS = ['is', 'not', 'like', 'below', 'atMost', 'above', 'atLeast'] as const;
const CLAUSE = ['attribute', ...COMPARISONS];
const JOINS = ['and', 'or'] as const;

/** More rows than the engine takes of any search: what contains itself ends here. */
const ROWS = 1024;

const invalid = (words: string): PeerError => new PeerError('invalid-search', words);

/** A search, outside in. */
export function searchRows(criteria: Search): SearchRow[] {
  const rows: SearchRow[] = [];
  addRows(criteria, rows);
  return rows;
}

function addRows(criteria: unknown, rows: SearchRow[]): void {
  if (rows.length >= ROWS) throw invalid('it has more clauses than allowed, or contains itself');
  if (!isPlain(criteria))
    throw invalid('a search is { and: [...] }, { or: [...] } or { attribute, is }');
  // What is undefined is not there, as in options.
  const names = Object.keys(criteria).filter((name) => criteria[name] !== undefined);
  const join = JOINS.find((name) => names.includes(name));
  const other = names.find((name) => name !== join);
  if (!join) addClauses(criteria, names, rows);
  else if (other) throw invalid(`"${join}" stands alone, without "${other}"`);
  else addJoin(join, criteria[join], rows);
}

function addJoin(join: 'and' | 'or', parts: unknown, rows: SearchRow[]): void {
  if (!Array.isArray(parts) || parts.length === 0)
    throw invalid(`"${join}" needs a list of at least one search`);
  rows.push([join, parts.length]);
  for (const part of parts) addRows(part, rows);
}

/** Several comparisons of one attribute must all hold. */
function addClauses(
  criteria: Readonly<Record<string, unknown>>,
  names: readonly string[],
  rows: SearchRow[],
): void {
  const misspelt = names.find((name) => !CLAUSE.includes(name));
  if (misspelt !== undefined) throw invalid(noSuch('', misspelt, [...CLAUSE, ...JOINS]));
  const { attribute } = criteria;
  if (typeof attribute !== 'string') throw invalid('"attribute" must be a string');
  const comparisons = COMPARISONS.filter((name) => names.includes(name));
  if (comparisons.length === 0)
    throw invalid(`"${attribute}" is compared with nothing: say one of ${COMPARISONS.join(', ')}`);
  if (comparisons.length > 1) rows.push(['and', comparisons.length]);
  for (const name of comparisons) {
    const value = criteria[name];
    if (name === 'like' && typeof value !== 'string') throw invalid('"like" must be a string');
    if (!isValue(value)) throw invalid(`"${name}" must be ${VALUE}`);
    rows.push([name, attribute, value]);
  }
}

/** Attributes, one row per name. */
export function attributeRows(attributes: Attributes): AttributeRow[] {
  const wrong = (words: string): PeerError => new PeerError('invalid-attributes', words);
  if (!isPlain(attributes)) throw wrong('attributes are an object of names and values');
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return given.map(([name, value]) => {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (!values.every(isValue)) throw wrong(`"${name}" must be ${VALUE}, or a list of these`);
    return [name, ...values];
  });
}

const VALUE = 'a string, a whole number up to 2^53 - 1 or a valid Date';

function isValue(value: unknown): value is AttributeValue {
  return (
    typeof value === 'string' ||
    Number.isSafeInteger(value) ||
    (value instanceof Date && Number.isFinite(value.getTime()))
  );
}

/** The latest moment that a Date can name. */
const LATEST_MS = 8_640_000_000_000_000;

/** The engine's two arguments: an end in peer time, or a life in milliseconds. */
export function expiryOf(
  expires: Date | number | undefined,
): [expires: number | undefined, life: number | undefined] {
  if (expires === undefined) return [undefined, undefined];
  const ms: unknown = expires instanceof Date ? expires.getTime() : expires;
  if (typeof ms === 'number' && ms > 0 && ms <= LATEST_MS)
    return expires instanceof Date ? [ms, undefined] : [undefined, ms];
  throw new PeerError(
    'invalid-record-expiration',
    '"expires" must be a valid Date in peer time, or a life in milliseconds',
  );
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
