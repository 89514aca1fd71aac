//! Every bound of the engine and of the wire, with its unit and its reason.

use crate::time::Millis;

// Wire.

/// Bytes of one frame on a data channel. Every browser and webrtc-rs carry 64 KiB.
pub const FRAME_BYTES: usize = 64 * 1024;
/// Bytes of app data in one message. Room for the frame's head and the type name.
pub const MESSAGE_BYTES: usize = 60 * 1024;
/// Bytes of a message type name.
pub const MESSAGE_TYPE_BYTES: usize = 255;
/// Bytes of a direct connection's label.
pub const LABEL_BYTES: usize = 255;
/// Bytes of one signal through the rendezvous server.
pub const SIGNAL_BYTES: usize = 16 * 1024;
/// Bytes of one frame through the rendezvous server's relay.
pub const RELAY_FRAME_BYTES: usize = 16 * 1024;
/// Bytes that a relayed frame counts for besides its own: what it takes on the wire.
pub const RELAY_HEAD_BYTES: u32 = 64;
/// Bytes of a link's packet in one relayed frame: the rest is its head and what seals it.
pub const PIECE_BYTES: usize = RELAY_FRAME_BYTES - 64;
/// Bytes of a sealed announcement.
pub const ANNOUNCEMENT_BYTES: usize = 1024;
/// Seconds an announcement may stand without a refresh.
pub const ANNOUNCEMENT_TTL_S: u16 = 120;
/// Announcements in one sample.
pub const SAMPLE: usize = 16;
/// Rendezvous servers that an invitation or address may name.
pub const RENDEZVOUS_SERVERS: usize = 4;
/// Bytes of a rendezvous URL.
pub const URL_BYTES: usize = 255;
/// ICE servers from one Welcome, and URLs in each.
pub const ICE_SERVERS: usize = 8;
/// Bytes of one line of SDP that we pass through.
pub const SDP_LINE_BYTES: usize = 512;
/// Lines of SDP that we pass through.
pub const SDP_LINES: usize = 32;
/// Alternatives in one refusal.
pub const ALTERNATIVES: usize = 4;

// Credentials.

/// Links from the group key to a member.
pub const CHAIN_LINKS: usize = 24;
/// Credentials that one proof may carry: the chain and those of whoever admitted along it.
pub const PROOF_CREDENTIALS: usize = 32;
/// Bytes of what is sealed in a bound invitation: a proof and the door.
pub const SEALED_INVITATION_BYTES: usize = 8 * 1024;
/// Signatures of credentials that are remembered as good.
pub const VERIFIED_CREDENTIALS: usize = 65_536;
/// Credentials that tell somebody why it is no member any more.
pub const FAREWELL_CREDENTIALS: usize = 256;
/// Credentials of others that wait for those they rest on.
pub const PENDING_CREDENTIALS: usize = 256;
/// Grace in seconds at either end of a credential's time, for clocks a little off.
pub const CLOCK_GRACE_S: u64 = 300;
/// Seconds a session lasts: longer than any page stays open without a reload.
pub const SESSION_S: u64 = 30 * 86_400;
/// Times one bearer invitation may allow.
pub const INVITATION_USES: u32 = 10_000;
/// Default life of a bearer invitation as an invitation, in seconds.
pub const INVITATION_USABLE_S: u64 = 7 * 86_400;
/// Control items (credentials and admissions) that a node keeps per group.
pub const CONTROL_ITEMS: usize = 16_384;
/// Of these, kept for what admins end memberships with.
pub const REMOVAL_ITEMS: usize = 2048;
/// Bytes of one control item: the longest properties are about 3 900.
pub const CONTROL_ITEM_BYTES: usize = 4096;
/// Control items in one frame.
pub const CONTROL_ITEMS_PER_FRAME: usize = 16;

/// Characters of the reason for a removal.
pub const REASON_CHARS: usize = 255;
/// Vouches of one revocation, and what each lists: some 28 000 records stay of somebody who is removed.
pub const VOUCHES: usize = 128;
/// Hashes in one vouch: it must fit into a control item.
pub const VOUCHED: usize = 240;
/// Admins of one group whose revocations count, the most senior first: judging costs a round for each.
pub const REVOKING_ADMINS: usize = 64;
/// Removals that an epoch says it covers, the newest first.
pub const COVERED_REMOVALS: usize = 400;
/// Epochs and doors that wait for what they rest on.
pub const WAITING_SECRETS: usize = 16;

// Passwords.

/// KiB of memory that Argon2id fills for a password of ours: 19 MiB.
pub const STRETCH_KIB: u32 = 19 * 1024;
/// How often it goes over that memory.
pub const STRETCH_PASSES: u32 = 2;
/// KiB of memory that a text may ask for: whoever wrote it chose.
pub const STRETCH_KIB_MAX: u32 = 64 * 1024;
/// Passes that a text may ask for.
pub const STRETCH_PASSES_MAX: u32 = 8;
/// Bytes of a password.
pub const PASSWORD_BYTES: usize = 1024;
/// Bytes that a text sealed under a password may hold: a membership with its chain and the group's
/// properties takes some 10 000 at most.
pub const SEALED_BYTES: usize = 64 * 1024;
/// Pause between two runs of the password exchange that one member answers, after the first few.
pub const GUESS_PAUSE_MS: Millis = 10_000;
/// Runs that one member answers at once after a pause.
pub const GUESS_BURST: Millis = 3;
/// Wrong passwords of an hour in a group, from which on each further run must be worked for.
pub const GUESSES_PER_HOUR: usize = 20;
/// How long a wrong password is remembered.
pub const GUESS_LIFE_MS: Millis = 3_600_000;
/// Own wrong passwords that are remembered: as many as the pause allows in that time.
pub const GUESSES_KEPT: usize = 512;
/// Zero bits that work must make a hash begin with: some 0.4 s in a browser.
pub const WORK_BITS: u8 = 18;
/// The most that anybody works for: whoever demands more is no honest member or server.
pub const WORK_BITS_MAX: u8 = 20;
/// Characters of a token that a rendezvous server lets in by.
pub const ADMISSION_TOKEN_CHARS: core::ops::RangeInclusive<usize> = 16..=1024;
/// Between two works for one rendezvous server after the first: one that demands more often is left
/// waiting, so that it costs a page no more than some seconds of a processor each minute.
pub const SERVER_WORK_PAUSE_MS: Millis = 15_000;
/// How long work may be shown after it was demanded.
pub const WORK_LIFE_MS: Millis = 5 * 60_000;
/// Work that has bought a run and is remembered: more than the pause allows in that time.
pub const WORK_SPENT: usize = 64;
/// How often in a row a joiner stretches its password again because it is told of another generation.
pub const GENERATIONS: u32 = 4;
/// Before a joiner asks again somebody who knows another generation.
pub const GENERATION_WAIT_MS: u32 = 2_000;
/// Members that may hold the stretched password: the others cannot let in by it.
pub const VERIFIERS: usize = 512;
/// Verifiers that wait until their issuers are known.
pub const PENDING_VERIFIERS: usize = 64;
/// How long an admin waits for others to seal the password to somebody who is new.
pub const RESEAL_PAUSE_MS: Millis = 3_000;
/// Between two replacements of the password because of somebody who held it.
pub const REPLACE_PAUSE_MS: Millis = 60_000;
/// Bits that a password must be worth, by a simple estimate.
pub const PASSWORD_BITS: u32 = 30;
/// Identities of one store.
pub const IDENTITIES: usize = 64;

// Properties.

/// Characters of a friendly name.
pub const FRIENDLY_NAME_CHARS: usize = 255;
/// Characters of a comment.
pub const COMMENT_CHARS: usize = 512;
/// Seconds that what a member publishes of itself lives, where nothing else was chosen: 28 days.
pub const MEMBER_DATA_LIFETIME_DEFAULT_S: u32 = 28 * 86_400;
/// The least: 8 hours.
pub const MEMBER_DATA_LIFETIME_MIN_S: u32 = 8 * 3600;
/// The most: 10 years.
pub const MEMBER_DATA_LIFETIME_MAX_S: u32 = 3650 * 86_400;
/// Seconds that a presence lives: the least, and what it is where nothing else was chosen.
pub const PRESENCE_LIFETIME_MIN_S: u32 = 300;
/// The most: beyond a day it would say nothing.
pub const PRESENCE_LIFETIME_MAX_S: u32 = 86_400;
/// Characters of a classifier.
pub const CLASSIFIER_CHARS: usize = 149;
/// Characters of a graph id.
pub const GRAPH_ID_CHARS: usize = 255;

// Members.

/// Bytes of what an app says about its node.
pub const PRESENCE_ATTRIBUTES_BYTES: usize = 1024;
/// Between two changes of what a node shows of itself, but for the first: an app may set it with
/// every key that is pressed.
pub const PRESENCE_PAUSE_MS: Millis = 1_000;
/// Before what a node or member shows of itself is tried again to be written.
pub const PRESENCE_AGAIN_MS: Millis = 30_000;
/// Earlier nodes of a storage that are remembered until what they left is withdrawn.
pub const EARLIER_NODES: usize = 4;
/// Presences of a member that are looked at: it may write far more of them than it has nodes.
pub const PRESENCES_SEEN: usize = 256;
/// Nodes of a member that are shown, the newest first.
pub const NODES_SHOWN: usize = 16;
/// How long a new member may take to show its name before it is told of without one.
pub const JOINED_WAIT_MS: Millis = 10_000;

// Records.

/// Bytes of a record type's name.
pub const RECORD_TYPE_BYTES: usize = 64;
/// Characters of an attribute's name.
pub const ATTRIBUTE_NAME_CHARS: usize = 40;
/// Values of all attributes of a record together.
pub const ATTRIBUTE_VALUES: usize = 128;
/// Bytes of one attribute value.
pub const ATTRIBUTE_VALUE_BYTES: usize = 4096;
/// The greatest `maxRecordSize` that a group may choose: data and attributes of one record.
pub const RECORD_BYTES: usize = 60 * 1024 * 1024;
/// The least `maxRecordSize` that a group may choose.
pub const RECORD_BYTES_MIN: usize = 1024;
/// `maxRecordSize` where nothing else was chosen.
pub const RECORD_BYTES_DEFAULT: usize = 1024 * 1024;
/// The longest a record may have to live from its last change: 400 days.
pub const RECORD_LIFE_MS: Millis = 400 * 86_400_000;
/// The shortest life of a record that refreshes itself.
pub const AUTO_REFRESH_LIFE_MS: Millis = 4 * 60_000;
/// How long before its end a record refreshes itself: a hidden page's timer may be a minute late.
pub const AUTO_REFRESH_AHEAD_MS: Millis = 90_000;
/// How long a deleted record is remembered beyond its end, for clocks a little off.
pub const TOMBSTONE_MARGIN_MS: Millis = 10 * 60_000;
/// A record this far ahead of peer time is taken at once.
pub const RECORD_AHEAD_MS: Millis = 2 * 60_000;
/// A record this far ahead of peer time is held until it is due; beyond, it is refused.
pub const RECORD_HELD_MS: Millis = 10 * 60_000;
/// Records that wait: for their author to be known, for their time, for the app's verdict.
pub const WAITING_RECORDS: usize = 256;
/// Waiting records of one author.
pub const WAITING_RECORDS_PER_AUTHOR: usize = 16;
/// Records that wait for the app's verdict; the sender's window keeps an honest one far below.
pub const VALIDATIONS: usize = 4096;
/// Bytes of waiting records.
pub const WAITING_BYTES: usize = 8 * 1024 * 1024;
/// Records of one author and type.
pub const RECORDS_PER_AUTHOR: usize = 16_384;
/// Bytes of the records of one author and type.
pub const RECORD_BYTES_PER_AUTHOR: usize = 16 * 1024 * 1024;
/// Bytes of all records of a group, with what each takes in the tables of the store.
pub const DATABASE_BYTES: usize = 64 * 1024 * 1024;
/// Bytes that a record takes in those tables at most, whatever its size: measured (tests/memory) where
/// pointers have 8 bytes, with each record of its own creator and type.
pub const RECORD_TABLE_BYTES: usize = 1280;
/// Bytes that an attribute takes in memory besides its name, likewise.
pub const ATTRIBUTE_TABLE_BYTES: usize = 48;
/// Bytes that a value takes in memory besides a text, likewise.
pub const VALUE_TABLE_BYTES: usize = 24;
/// Types of creators of which more came than is held, remembered while nothing of them is held.
pub const RECORD_CUTS: usize = 1024;
/// New records of one author that are flooded per second; more wait their turn.
pub const FLOODED_PER_SECOND: u64 = 200;
/// New records of one author that are flooded at once after a pause.
pub const FLOODED_BURST: u64 = 1000;
/// Clauses of one search, and how deep they may nest.
pub const SEARCH_CLAUSES: usize = 256;
/// How deep the clauses of a search may nest.
pub const SEARCH_DEPTH: usize = 16;
/// Types that a graph may ask for first.
pub const SYNC_PRECEDENCE: usize = 16;
/// Bytes of records sent over a link and not yet taken by the other end.
pub const RECORDS_WINDOW_BYTES: usize = 512 * 1024;
/// Bytes of records in one frame: some ten packets, so that nothing else waits long behind them.
pub const RECORDS_FRAME_BYTES: usize = 16 * 1024;
/// Records of one frame; also the most signatures that are verified together.
pub const RECORDS_PER_FRAME: usize = 64;
/// Records that wait to be sent over one link, of each urgency: more than a database holds.
pub const LANE_RECORDS: usize = 65_536;
/// Words about items that wait behind them on one link: an honest end that takes items at all leaves
/// none of them there for a minute.
pub const LANE_MARKS: usize = 256;
/// Authors whose rates are remembered; of others nothing is flooded until one of these has paused.
pub const PACED_AUTHORS: usize = 4096;
/// Symbols of one part in a comparison; a part that may need more is split.
pub const SYNC_SYMBOLS: usize = 8192;
/// Symbols that one end keeps for a comparison before they tell the difference: 2 MiB.
pub const SYNC_SYMBOLS_KEPT: usize = 131_072;
/// Symbols in one frame: some ten packets, as for records.
pub const SYNC_SYMBOLS_PER_FRAME: usize = 1200;
/// Short ids in one frame, likewise.
pub const SYNC_IDS_PER_FRAME: usize = 2000;
/// How often a part is split into 16: 65 536 parts of even 500 000 records hold 8 each.
pub const SYNC_DEPTH: u32 = 4;
/// Parts that are under way at once in one comparison.
pub const SYNC_PARTS: usize = 16;
/// Bytes that one comparison may take at either end, without what is compared.
pub const SYNC_BYTES: usize = 64 * 1024;
/// And this for each item that either end has.
pub const SYNC_BYTES_PER_ITEM: usize = 64;
/// Items of the other end that count for that: it may claim any number.
pub const SYNC_ITEMS: u32 = 524_288;
/// Messages that one comparison may take at either end; and one for each of the items, by 8.
pub const SYNC_MESSAGES: usize = 256;
/// Comparisons in a row that follow differences.
pub const SYNC_ROUNDS: u32 = 4;
/// Comparisons that the other end may begin between two of this end's own times for one.
pub const SYNC_BEGUN: u32 = 16;
/// Who has this many times less than the other asks for everything: what it has then comes twice,
/// which costs as much as to find out.
pub const SYNC_FEW: u32 = 16;
/// The least pause before ended records are looked for again.
pub const SWEEP_MIN_MS: Millis = 100;
/// How long a node that passed on what no honest node does is not linked again.
pub const BAN_MS: Millis = 10 * 60_000;
/// Banned nodes that are remembered.
pub const BANNED_NODES: usize = 128;
/// Before storing what others wrote is tried again after it failed.
pub const STORE_AGAIN_MS: Millis = 30_000;
/// Records stored in one go.
pub const STORED_AT_ONCE: usize = 1024;
/// Bytes of records stored in one go.
pub const STORED_BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
/// Refused versions of records that are remembered.
pub const REFUSED_RECORDS: usize = 16_384;
/// A neighbor that takes nothing for this long while its window is full is given up.
pub const STALLED_MS: Millis = 60_000;
/// Between two comparisons with a random neighbor.
pub const ANTI_ENTROPY_MS: Millis = 60_000;
/// How much peer time may move per minute.
pub const PEER_TIME_STEP_MS: i64 = 500;
/// A wall clock that moved this much against the monotonic one was set.
pub const CLOCK_SET_MS: i64 = 2_000;
/// From when others are asked for their time to when they are believed to have answered.
pub const TIME_ASKED_MS: Millis = 5_000;
/// How far peer time may be from this machine's clock.
pub const PEER_TIME_CLAMP_MS: i64 = 10 * 60_000;

// Graph.

/// Neighbors at most.
pub const NEIGHBORS: usize = 9;
/// Newcomers that a node with as many neighbors lets in at once: they stay until they have what it has.
pub const NEWCOMERS: usize = 6;
/// Up to this many nodes, everyone is everyone's neighbor.
pub const FULL_MESH_NODES: usize = 8;
/// Direct connections that need a link of their own, at most.
pub const DIRECT_LINKS: usize = 12;
/// Peer connections of one engine. A browser allows 500, closed ones included until collected.
pub const PEER_CONNECTIONS: usize = 24;
/// Direct connections over one link.
pub const DIRECT_PER_LINK: usize = 64;
/// Addresses of nodes that are known but not linked.
pub const KNOWN_NODES: usize = 48;
/// Bytes that wait on one link for a relay's credit, beyond which messages and records wait their turn:
/// so much takes half a second at the rate of one pair, and a probe waits no longer behind it.
pub const RELAY_QUEUE_BYTES: usize = 128 * 1024;
/// Bytes that may wait there in all: besides, one message of each connection, and what is not held
/// back, as answers and words about records are.
pub const RELAY_QUEUE_MOST_BYTES: usize = 8 * 1024 * 1024;
/// Pairs with the relay of which the credit is remembered.
pub const RELAY_PAIRS: usize = 128;
/// The smallest window of a relay that is of any use.
pub const RELAY_WINDOW_MIN_BYTES: u32 = 1024;
/// Signals that wait for a server: twenty of each link.
pub const WAITING_SIGNALS: usize = 512;
/// Handshakes answered and not yet confirmed.
pub const HALF_OPEN_LINKS: usize = 16;
/// First handshake messages remembered against replay.
pub const REMEMBERED_ATTEMPTS: usize = 4096;
/// Connection attempts of one graph that wait for their outcome (`PeerGraphConnect`).
pub const PENDING_CONNECTS: usize = 64;
/// Bytes sent on a connection and not yet taken by the far side.
pub const SEND_WINDOW_BYTES: usize = 1024 * 1024;
/// Messages sent on a connection and not yet taken by the far side.
pub const SEND_WINDOW_MESSAGES: usize = 256;

// Engine.

/// Groups and graphs open at once in one engine.
pub const NODES: usize = 64;
/// Handles open at once in one engine.
pub const HANDLES: usize = 1024;
/// Commands under way at once in one engine.
pub const REQUESTS: usize = 4096;
/// Bytes that one engine may hold in queues and tables; beyond it calls answer `out-of-memory`.
pub const ENGINE_BYTES: usize = 64 * 1024 * 1024;
/// Questions to the app under way at once.
pub const ASKS: usize = 256;

// Times, in milliseconds.

/// Default limit of `connect()` and of opening a direct connection.
pub const CONNECT_TIMEOUT_MS: Millis = 30_000;
/// Longest limit that a call may ask for.
pub const MAX_TIMEOUT_MS: Millis = 24 * 3_600_000;
/// From a first handshake message to its answer.
pub const ANSWER_TIMEOUT_MS: Millis = 5_000;
/// From the handshake to the confirmed channel.
pub const CHANNEL_TIMEOUT_MS: Millis = 15_000;
/// From the handshake to when a link without a channel goes over the rendezvous server: well over what
/// a direct way takes on a slow network, and short of what a person waits for.
pub const RELAY_AFTER_MS: Millis = 5_000;
/// From opening a socket to Welcome.
pub const SOCKET_TIMEOUT_MS: Millis = 10_000;
/// First pause before a socket is opened again; grows by 1.6 to the next.
pub const RECONNECT_MIN_MS: Millis = 1_000;
/// Between two looks whether a membership holds that did not, as with a clock that is set right.
pub const MEMBERSHIP_CHECK_MS: Millis = 10_000;
/// Longest pause before a socket is opened again.
pub const RECONNECT_MAX_MS: Millis = 30_000;
/// First pause before a failed dial is tried again; grows by 1.6 to the next.
pub const REDIAL_MIN_MS: Millis = 1_000;
/// Longest pause before a failed dial is tried again.
pub const REDIAL_MAX_MS: Millis = 60_000;
/// Between refreshes of an announcement.
pub const REFRESH_MS: Millis = 45_000;
/// First pause before a joiner looks again; doubles to `RESOLVE_MAX_MS`.
pub const RESOLVE_MIN_MS: Millis = 500;
/// Longest pause before a joiner looks again.
pub const RESOLVE_MAX_MS: Millis = 4_000;
/// Between first frames, until one was heard.
pub const CONFIRM_REPEAT_MS: Millis = 1_000;
/// Silence after which a link is probed.
pub const PROBE_IDLE_MS: Millis = 15_000;
/// Between two probes of a silent link.
pub const PROBE_REPEAT_MS: Millis = 5_000;
/// Silence after which a link is dropped.
pub const LINK_DEAD_MS: Millis = 30_000;
/// How long a lost transport may take to come back before its link is dropped.
pub const LINK_LOST_MS: Millis = 15_000;
/// Between two dials of one node.
pub const DIAL_SPACING_MS: Millis = 500;
/// Dials of a known node that may fail in a row before it is forgotten.
pub const DIALS: u32 = 8;
/// Silence of the app after which a question is answered with no.
pub const ASK_MS: Millis = 5_000;
/// How long links may still be made with the secret of the last epoch.
pub const EPOCH_GRACE_MS: Millis = 10 * 60_000;
/// Before the most senior admin makes a new epoch where the one in use does not fit; the next waits twice
/// as long, and so on.
pub const ROTATE_MS: Millis = 2_000;
/// How long somebody who leaves waits for neighbors to have heard it.
pub const LEAVE_MS: Millis = 5_000;
/// How long before or after midnight both days' topics are used.
pub const TOPIC_OVERLAP_MS: Millis = 3_600_000;
/// A wall clock this far from the server's is named when a credential is not valid now.
pub const CLOCK_SKEW_MS: u64 = 60_000;
