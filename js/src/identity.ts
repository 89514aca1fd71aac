// Identities: who one is, in a storage of this browser.

import { identitiesOf, identityOf, nothing, textOf } from './answers.js';
import type { IdentityInfo, PeerId } from './generated/peer_group.js';
import type { EngineHost } from './host.js';
import { engine } from './load.js';
import { checked, checkedText, openArguments, type StorageOptions } from './options.js';

/** What a new identity is called. */
export interface CreateIdentityOptions extends StorageOptions {
  /** What people call it, at most 255 characters. */
  readonly name?: string;
  /** A short readable kind, at most 149 characters. It does not change. */
  readonly classifier?: string;
}

type Storage = NonNullable<StorageOptions['storage']>;
type Arguments = ReturnType<typeof openArguments>;

/** Somebody that one can be: a key that stays in this storage, and a name. In browsers the key is kept
 *  wrapped by a key that cannot be taken out of the browser; on insecure origins (plain http, not
 *  localhost) there is no such thing, and it is kept as it is. */
export class Identity {
  /** @internal Where it is kept. */
  readonly storage: Storage;
  #info: IdentityInfo;

  private constructor(info: IdentityInfo, storage: Storage) {
    this.#info = info;
    this.storage = storage;
  }

  /** Makes one more. The first of a storage is its default. 'too-many-identities' beyond 64.
   *  PeerIdentityCreate. */
  static async create(options?: CreateIdentityOptions): Promise<Identity> {
    const given = checked('Identity.create', 'createIdentity', options);
    const { name = '', classifier = '' } = given;
    return Identity.#asked(given, (host, storage) =>
      host.request((engine) => engine.createIdentity(storage, name, classifier), identityOf),
    );
  }

  /** The default one, made on first use: who acts where no identity is named. PeerIdentityGetDefault. */
  static async default(options?: StorageOptions): Promise<Identity> {
    const given = checked('Identity.default', 'storage', options);
    return Identity.#asked(given, (host, storage) =>
      host.request((engine) => engine.defaultIdentity(storage), identityOf),
    );
  }

  /** All of a storage, the default one first, then the oldest. PeerEnumIdentities. */
  static async list(options?: StorageOptions): Promise<Identity[]> {
    const given = checked('Identity.list', 'storage', options);
    const host = await engine();
    const storage = openArguments(given);
    const { answer } = host.request((engine) => engine.listIdentities(storage), identitiesOf);
    return (await answer).map((info) => new Identity(info, storageOf(given)));
  }

  /** Takes one over that was exported elsewhere: the same person here. It brings no groups.
   *  'wrong-password'; 'invalid-argument' for a text that was cut off; 'already-exists'.
   *  PeerIdentityImport. */
  static async import(text: string, password: string, options?: StorageOptions): Promise<Identity> {
    const sealed = checkedText('Identity.import', 'text', text);
    const secret = checkedText('Identity.import', 'password', password);
    const given = checked('Identity.import', 'storage', options);
    return Identity.#asked(given, (host, storage) =>
      host.request((engine) => engine.importIdentity(storage, sealed, secret), identityOf),
    );
  }

  /** Names it: the public half of its key. */
  get peerId(): PeerId {
    return this.#info.peerId;
  }

  /** What people call it; empty if nobody said. */
  get name(): string {
    return this.#info.name;
  }

  /** The kind it was made with; may be empty. */
  get classifier(): string {
    return this.#info.classifier;
  }

  /** Calls it differently: in cards and invitations from now on. Empty: no name.
   *  PeerIdentitySetFriendlyName. */
  async setName(name: string): Promise<void> {
    const text = checkedText('setName', 'name', name);
    const { answer } = (await engine()).request(
      (engine) => engine.renameIdentity(this.#storage(), this.peerId, text),
      identityOf,
    );
    this.#info = await answer;
  }

  /** Its public part as a text, to hand to an inviter out of band. PeerIdentityGetXML. */
  card(): string {
    return this.#info.card;
  }

  /** All of it as a text sealed under a password, for another browser. It is a copy: the one here stays.
   *  Choose a good password, for whoever gets hold of the text can try them all, 0.1 s each.
   *  PeerIdentityExport. */
  async export(password: string): Promise<string> {
    const secret = checkedText('export', 'password', password);
    const { answer } = (await engine()).request(
      (engine) => engine.exportIdentity(this.#storage(), this.peerId, secret),
      textOf,
    );
    return answer;
  }

  /** Deletes it here, with what graphs stored for it. 'groups-exist' while it has groups here: delete those
   *  first. PeerIdentityDelete. */
  async delete(): Promise<void> {
    const { answer } = (await engine()).request(
      (engine) => engine.deleteIdentity(this.#storage(), this.peerId),
      nothing,
    );
    await answer;
  }

  #storage(): Arguments {
    return openArguments({ storage: this.storage });
  }

  static async #asked(
    options: StorageOptions,
    ask: (host: EngineHost, storage: Arguments) => { readonly answer: Promise<IdentityInfo> },
  ): Promise<Identity> {
    const host = await engine();
    const { answer } = ask(host, openArguments({ storage: storageOf(options) }));
    return new Identity(await answer, storageOf(options));
  }
}

function storageOf(options: StorageOptions): Storage {
  return options.storage ?? 'default';
}
