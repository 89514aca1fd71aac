//! THE error table: every failure the app can see, in one place.
//!
//! The TypeScript union, the Windows values and the numbers on the wire all come from here.

use core::fmt;
use core::fmt::Write as _;

/// Who can do something about a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Fix the call.
    Caller,
    /// Try again later or elsewhere.
    Network,
    /// The other member said or caused it.
    Peer,
    /// A fault of ours: report it.
    Internal,
}

impl Class {
    /// The name the app sees.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Network => "network",
            Self::Peer => "peer",
            Self::Internal => "internal",
        }
    }
}

macro_rules! error_table {
    ($($number:literal $code:ident $text_code:literal, $windows:expr, $class:ident, $text:literal;)*) => {
        /// A stable reason of failure. The number is its value on the wire and is never reused.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $text] $code = $number,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The code as the app sees it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text_code,)* }
            }

            /// The Windows name and value, where there is one.
            #[must_use]
            pub fn windows(self) -> Option<(&'static str, u32)> {
                match self { $(Self::$code => $windows,)* }
            }

            /// Who can do something about it.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $(Self::$code => Class::$class,)* }
            }

            /// What it means and what to change, in words.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$code => $text,)* }
            }

            /// The number on the wire.
            #[must_use]
            pub fn number(self) -> u16 {
                self as u16
            }

            /// The code with that number.
            #[must_use]
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$code),)* _ => None }
            }
        }
    };
}

/// A value of `FACILITY_P2P`.
const fn peer(name: &'static str, low: u32) -> Option<(&'static str, u32)> {
    Some((name, 0x8063_0000 | low))
}

error_table! {
    1 InvalidArgument "invalid-argument", Some(("E_INVALIDARG", 0x8007_0057)), Caller,
        "an argument is missing, misspelt or out of range";
    2 OutOfMemory "out-of-memory", Some(("E_OUTOFMEMORY", 0x8007_000E)), Caller,
        "a bound of the engine is reached: let pending work finish, or close something, and call again";
    3 AccessDenied "access-denied", Some(("E_ACCESSDENIED", 0x8007_0005)), Caller,
        "this identity may not do that, or the rendezvous server does not let this page in";
    4 Aborted "aborted", Some(("E_ABORT", 0x8000_4004)), Caller,
        "the call was cancelled by its signal";
    5 Timeout "timeout", peer("PEER_E_TIMEOUT", 0x7005), Network,
        "it took longer than allowed: raise the timeout or look at the evidence";
    6 Internal "internal", Some(("E_UNEXPECTED", 0x8000_FFFF)), Internal,
        "a fault in peer-group: the engine in this page has stopped; reload the page and report it";
    7 NotInitialized "not-initialized", peer("PEER_E_NOT_INITIALIZED", 0x0002), Caller,
        "the engine does not run: call init(), or create, open or join anew";
    8 UnsupportedVersion "unsupported-version", peer("PEER_E_UNSUPPORTED_VERSION", 0x2090), Peer,
        "the other side speaks a version this one does not know: update the older one";
    9 UnsupportedPlatform "unsupported-platform", None, Caller,
        "this browser lacks something peer-group needs, such as WebRTC";
    10 InvalidGraph "invalid-graph", peer("PEER_E_INVALID_GRAPH", 0x0010), Caller,
        "the graph handle is closed, or its graph was deleted";
    11 DuplicateGraph "duplicate-graph", peer("PEER_E_DUPLICATE_GRAPH", 0x0012), Caller,
        "a graph of that id exists here already: open it instead";
    12 GraphNotReady "graph-not-ready", peer("PEER_E_GRAPH_NOT_READY", 0x0013), Caller,
        "the graph must connect and synchronise once before that";
    13 GraphShuttingDown "graph-shutting-down", peer("PEER_E_GRAPH_SHUTTING_DOWN", 0x0014), Caller,
        "the graph is closing";
    14 GraphInUse "graph-in-use", peer("PEER_E_GRAPH_IN_USE", 0x0015), Caller,
        "the graph is connected: close it first";
    15 InvalidDatabase "invalid-database", peer("PEER_E_INVALID_DATABASE", 0x0016), Caller,
        "the stored data belongs to another group or is damaged";
    16 TooManyAttributes "too-many-attributes", peer("PEER_E_TOO_MANY_ATTRIBUTES", 0x0017), Caller,
        "the record has more attributes than allowed";
    17 ConnectionNotFound "connection-not-found", peer("PEER_E_CONNECTION_NOT_FOUND", 0x0103), Caller,
        "there is no such connection: it may have closed meanwhile";
    18 ConnectSelf "connect-self", peer("PEER_E_CONNECT_SELF", 0x0106), Caller,
        "that is this node itself";
    19 AlreadyListening "already-listening", peer("PEER_E_ALREADY_LISTENING", 0x0107), Caller,
        "the graph listens already";
    20 NodeNotFound "node-not-found", peer("PEER_E_NODE_NOT_FOUND", 0x0108), Network,
        "no such node or member is known to be online";
    21 AlreadyExists "already-exists", Some(("PEER_E_ALREADY_EXISTS", 0x8007_00B7)), Caller,
        "it exists already";
    22 ConnectionFailed "connection-failed", peer("PEER_E_CONNECTION_FAILED", 0x0109), Network,
        "the connection did not come up or was lost: the evidence says at which stage";
    23 ConnectionNotAuthenticated "connection-not-authenticated",
        peer("PEER_E_CONNECTION_NOT_AUTHENTICATED", 0x010A), Peer,
        "the other side could not prove who it is, or somebody on the way changed what it said";
    24 ConnectionRefused "connection-refused", peer("PEER_E_CONNECTION_REFUSED", 0x010B), Peer,
        "the other side is full, connected already, or does not accept";
    25 NoKeyAccess "no-key-access", peer("PEER_E_NO_KEY_ACCESS", 0x0203), Caller,
        "the stored keys cannot be read: storage may be blocked in this browser";
    26 GroupsExist "groups-exist", peer("PEER_E_GROUPS_EXIST", 0x0204), Caller,
        "memberships depend on this identity: delete those groups first";
    27 IdentityNotFound "identity-not-found", peer("PEER_E_IDENTITY_NOT_FOUND", 0x0401), Caller,
        "no such identity is known here";
    28 IdentityDeleted "identity-deleted", peer("PEER_E_IDENTITY_DELETED", 0x20A0), Caller,
        "the identity was deleted";
    29 TooManyIdentities "too-many-identities", peer("PEER_E_TOO_MANY_IDENTITIES", 0x0202), Caller,
        "there are more identities than allowed";
    30 RecordNotFound "record-not-found", peer("PEER_E_RECORD_NOT_FOUND", 0x0301), Caller,
        "there is no such record: it may have ended meanwhile";
    31 MaxRecordSizeExceeded "max-record-size-exceeded",
        peer("PEER_E_MAX_RECORD_SIZE_EXCEEDED", 0x0304), Caller,
        "the record is larger than the group allows";
    32 InvalidRecord "invalid-record", peer("PEER_E_INVALID_RECORD", 0x2010), Peer,
        "the record breaks a rule of the group";
    33 InvalidRecordExpiration "invalid-record-expiration",
        peer("PEER_E_INVALID_RECORD_EXPIRATION", 0x2080), Caller,
        "a record must end, in the future, and never earlier than before";
    34 InvalidAttributes "invalid-attributes", peer("PEER_E_INVALID_ATTRIBUTES", 0x0602), Caller,
        "an attribute name or value is not allowed";
    35 InvalidSearch "invalid-search", peer("PEER_E_INVALID_SEARCH", 0x0601), Caller,
        "the search is not well-formed";
    36 DeferredValidation "deferred-validation", peer("PEER_E_DEFERRED_VALIDATION", 0x2030), Peer,
        "the record waits for what is needed to judge it";
    37 InvitationNotTrusted "invitation-not-trusted",
        peer("PEER_E_INVITATION_NOT_TRUSTED", 0x0701), Caller,
        "the invitation is damaged or its signatures do not lead to the group: ask for a new one";
    38 InvitationUsedUp "invitation-used-up", None, Peer,
        "the invitation has been used as often as it allows: ask for a new one";
    39 InvitationRevoked "invitation-revoked", None, Peer,
        "the invitation was withdrawn: ask for a new one";
    40 ChainTooLong "chain-too-long", peer("PEER_E_CHAIN_TOO_LONG", 0x0703), Caller,
        "too many members vouch for one another in a row: ask the creator for an invitation";
    41 CircularChain "circular-chain", peer("PEER_E_CIRCULAR_CHAIN_DETECTED", 0x0706), Peer,
        "the credentials vouch for one another in a circle";
    42 InvalidTimePeriod "invalid-time-period", peer("PEER_E_INVALID_TIME_PERIOD", 0x0705), Caller,
        "the invitation or credential is not valid now: it has ended, or a clock is wrong";
    43 ClockSkew "clock-skew", None, Caller,
        "a clock is wrong: set this device's date and time, or the other's, and try again";
    44 NotAuthorized "not-authorized", peer("PEER_E_NOT_AUTHORIZED", 0x2020), Caller,
        "the role does not allow that";
    45 WrongPassword "wrong-password", None, Caller,
        "the password is wrong";
    46 PasswordDoesNotMeetPolicy "password-does-not-meet-policy",
        peer("PEER_E_PASSWORD_DOES_NOT_MEET_POLICY", 0x2021), Caller,
        "the password is too easy to guess";
    47 CredentialRevoked "credential-revoked", None, Peer,
        "the membership was ended by an admin";
    48 InvalidGroupProperties "invalid-group-properties",
        peer("PEER_E_INVALID_GROUP_PROPERTIES", 0x2040), Caller,
        "a group property is out of range";
    49 InvalidPeerName "invalid-peer-name", peer("PEER_E_INVALID_PEER_NAME", 0x2050), Caller,
        "that text is not an id or address of peer-group";
    50 InvalidClassifier "invalid-classifier", peer("PEER_E_INVALID_CLASSIFIER", 0x2060), Caller,
        "the classifier is longer than 149 characters";
    51 InvalidFriendlyName "invalid-friendly-name",
        peer("PEER_E_INVALID_FRIENDLY_NAME", 0x2070), Caller,
        "the friendly name is empty or longer than 255 characters";
    52 InvalidCredentialInfo "invalid-credential-info",
        peer("PEER_E_INVALID_CREDENTIAL_INFO", 0x2081), Caller,
        "the roles or times asked for are not possible";
    53 GroupNotReady "group-not-ready", peer("PEER_E_GROUP_NOT_READY", 0x2091), Caller,
        "the group must connect and synchronise once before that";
    54 GroupInUse "group-in-use", peer("PEER_E_GROUP_IN_USE", 0x2092), Caller,
        "another page of this browser is connected to the group with this identity: close it there";
    55 InvalidGroup "invalid-group", peer("PEER_E_INVALID_GROUP", 0x2093), Caller,
        "the group handle is closed, or its group was deleted";
    56 NoMembersFound "no-members-found", peer("PEER_E_NO_MEMBERS_FOUND", 0x2094), Network,
        "no member is online: somebody who is in the group must have it open; then connect again";
    57 NoMemberConnections "no-member-connections",
        peer("PEER_E_NO_MEMBER_CONNECTIONS", 0x2095), Network,
        "members were found, but no connection to one came up: the evidence says at which stage";
    58 UnableToListen "unable-to-listen", peer("PEER_E_UNABLE_TO_LISTEN", 0x2096), Network,
        "the rendezvous server does not let this node be reached";
    59 ServiceNotAvailable "service-not-available",
        peer("PEER_E_SERVICE_NOT_AVAILABLE", 0x20A1), Network,
        "the rendezvous server cannot be reached: check its address and the network";
    60 RateLimited "rate-limited", None, Network,
        "too many requests: wait for retryAfter milliseconds";
    61 MessageTooLarge "message-too-large", None, Caller,
        "the message is larger than the connection carries: send it in parts";
    62 StorageFull "storage-full", Some(("PEER_E_DISK_FULL", 0x8007_0070)), Caller,
        "the browser's storage is full or blocked: free space, or allow storage for this site";
    63 NotFound "not-found", Some(("PEER_E_NOT_FOUND", 0x8007_0490)), Caller,
        "no such thing is stored here";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a connection came before it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Reaching the rendezvous server.
    Rendezvous,
    /// Finding a member there.
    Discovery,
    /// Proving membership to each other.
    Handshake,
    /// Finding a way through the network.
    Ice,
    /// Encrypting it.
    Dtls,
    /// Opening the data channel and confirming the other end.
    Channel,
    /// The first synchronisation.
    Synchronization,
}

impl Stage {
    /// The name the app sees.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rendezvous => "rendezvous",
            Self::Discovery => "discovery",
            Self::Handshake => "handshake",
            Self::Ice => "ice",
            Self::Dtls => "dtls",
            Self::Channel => "channel",
            Self::Synchronization => "synchronization",
        }
    }
}

/// The kinds of network candidates that were seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CandidateKind {
    /// An address of this machine.
    Host,
    /// This machine's address as a STUN server saw it.
    ServerReflexive,
    /// An address learnt from the other side's checks.
    PeerReflexive,
    /// A TURN server's address.
    Relay,
}

impl CandidateKind {
    /// The name in SDP and in evidence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relay => "relay",
        }
    }
}

/// What is known about a failed connection: enough to say what to change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// How far it came.
    pub stage: Stage,
    /// Own candidates, when it came as far as gathering some.
    pub candidates: Vec<CandidateKind>,
    /// Whether a TURN server was there to be used, when it came as far as looking for a way.
    pub turn_tried: Option<bool>,
    /// Whether the rendezvous server was asked to carry it, likewise.
    pub relay_tried: Option<bool>,
    /// This machine's clock minus the rendezvous server's, when that was known.
    pub clock_offset_ms: Option<i64>,
}

impl Evidence {
    /// Evidence of a stage and nothing else yet.
    #[must_use]
    pub fn at(stage: Stage) -> Self {
        Self {
            stage,
            candidates: Vec::new(),
            turn_tried: None,
            relay_tried: None,
            clock_offset_ms: None,
        }
    }
}

/// A failure: a code, and what is known about this instance of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// The reason.
    pub code: Code,
    /// What in particular, in words; empty when the text of the code says it all.
    pub detail: String,
    /// Milliseconds after which to try again.
    pub retry_after: Option<u32>,
    /// For connection failures.
    pub evidence: Option<Box<Evidence>>,
}

impl Error {
    /// A failure for that reason.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: String::new(),
            retry_after: None,
            evidence: None,
        }
    }

    /// With what in particular was wrong.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// With the stage a connection had reached.
    #[must_use]
    pub fn at(mut self, stage: Stage) -> Self {
        self.evidence = Some(Box::new(Evidence::at(stage)));
        self
    }

    /// With all that is known.
    #[must_use]
    pub fn evidence(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(Box::new(evidence));
        self
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.text())?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl core::error::Error for Error {}

/// The table as TypeScript, for the wrapper's generated file.
#[must_use]
pub fn typescript() -> String {
    let mut out = String::from(
        "// The error table, written by the build from crate/src/error.rs. Do not edit.\n\n\
         export const ERRORS = {\n",
    );
    for code in Code::ALL {
        let _ = write!(out, "  '{code}': {{ class: '{}', ", code.class().as_str());
        if let Some((name, value)) = code.windows() {
            let _ = write!(out, "windows: '{name}', hresult: 0x{value:08x}, ");
        }
        let _ = writeln!(out, "text: {:?} }},", code.text());
    }
    out.push_str(
        "} as const satisfies Record<string, { class: PeerErrorClass; windows?: string; hresult?: number; text: string }>;\n\n\
         /** Why a call failed. Stable: compare with these, never with the text. */\n\
         export type PeerErrorCode = keyof typeof ERRORS;\n\n\
         /** Who can do something about it. */\n\
         export type PeerErrorClass = 'caller' | 'network' | 'peer' | 'internal';\n",
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_numbers_and_windows_values_are_unique() {
        let codes: BTreeSet<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        let numbers: BTreeSet<_> = Code::ALL.iter().map(|c| c.number()).collect();
        let windows: Vec<_> = Code::ALL.iter().filter_map(|c| c.windows()).collect();
        let values: BTreeSet<_> = windows.iter().map(|(_, value)| value).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        assert_eq!(numbers.len(), Code::ALL.len());
        assert_eq!(values.len(), windows.len());
    }

    #[test]
    fn numbers_read_back() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(*code));
        }
        assert_eq!(Code::from_number(0), None);
        assert_eq!(Code::from_number(u16::MAX), None);
    }

    #[test]
    fn the_windows_value_of_the_contracts_example() {
        assert_eq!(
            Code::InvalidGroup.windows(),
            Some(("PEER_E_INVALID_GROUP", 0x8063_2093))
        );
    }

    #[test]
    fn every_text_says_something_to_a_person() {
        for code in Code::ALL {
            assert!(code.text().len() > 10, "{code}");
            assert!(
                !code.text().contains(code.as_str()) || code.text().len() > 30,
                "{code}"
            );
        }
    }
}
