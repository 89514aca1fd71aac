// The one error class, made from the generated table.

import { ERRORS, type PeerErrorClass, type PeerErrorCode } from './generated/errors.js';
import type { ConnectionEvidence, Failure } from './generated/peer_group.js';

/** Why a call failed: a stable code, and words that say what to change. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
  /** The reason. Compare with this, never with the text. */
  readonly code: PeerErrorCode;
  /** Who can do something about it. */
  readonly class: PeerErrorClass;
  /** The Windows value, for the codes that have one. */
  declare readonly hresult?: number;
  /** Milliseconds after which to try again, for 'rate-limited' and the like. */
  declare readonly retryAfter?: number;
  /** For connection failures: enough to say what to change. */
  declare readonly evidence?: ConnectionEvidence;

  /** @internal */
  constructor(code: PeerErrorCode, detail = '', more: Partial<Failure> = {}) {
    const row = ERRORS[code];
    super(detail === '' ? row.text : `${row.text} (${detail})`);
    this.code = code;
    this.class = row.class;
    const { retryAfter, evidence } = more;
    if ('hresult' in row) Object.assign(this, { hresult: row.hresult });
    if (retryAfter !== undefined) Object.assign(this, { retryAfter });
    if (evidence !== undefined) Object.assign(this, { evidence });
  }
}

/** What the engine threw, as the app gets it. */
export function fromFailure(failure: Failure): PeerError {
  const code = isCode(failure.code) ? failure.code : 'internal';
  return new PeerError(code, failure.detail, failure);
}

export function isFailure(thrown: unknown): thrown is Failure {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'detail' in thrown;
}

export function invalidArgument(detail: string): PeerError {
  return new PeerError('invalid-argument', detail);
}

function isCode(code: string): code is PeerErrorCode {
  return Object.hasOwn(ERRORS, code);
}
