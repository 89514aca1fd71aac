//! What a joiner and an answerer say to each other about a password: inside handshakes, opaque to them.

use crate::wire::numbers::challenge;
use crate::{wire_enum, wire_struct};

wire_struct! {
    /// What somebody who asks to be let in by a password shows in message 1.
    pub struct Asking {
        /// Which generation of the password it was stretched for.
        pub generation: u32,
        /// Its share of the run.
        pub share: [u8; 32],
        /// Where things are sealed to it, should it become a member.
        pub sealing: [u8; 32],
        /// The work that the answerer demanded, done.
        pub work: Option<Worked>,
    }

    /// Work that was demanded, done.
    pub struct Worked {
        /// When it was demanded, by the answerer's clock, as it came.
        pub at: u64,
        /// The answer to it.
        pub answer: u64,
    }
}

wire_enum! {
    /// What an answerer says in message 2.
    pub enum Challenge {
        /// The run goes on: prove that you know the password.
        Share = challenge::SHARE {
            /// The answerer's share.
            share: [u8; 32],
        },
        /// The password was changed, or is known here by an older generation only.
        Generation = challenge::GENERATION {
            /// The one it must be stretched for.
            generation: u32,
        },
        /// There were too many wrong passwords: work first, then ask again.
        Work = challenge::WORK {
            /// Zero bits that the answer must make a hash begin with.
            bits: u8,
            /// When it is demanded, by the answerer's clock: to be handed back.
            at: u64,
            /// What is to be worked on.
            puzzle: [u8; 32],
        },
        /// Not now.
        Later = challenge::LATER {
            /// Milliseconds after which to ask again.
            after_ms: u32,
        },
    }
}
