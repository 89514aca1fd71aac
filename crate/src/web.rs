//! The browser driver: does what the engine asks with what a page has, and tells it what happened.
//!
//! Browser callbacks push an input and ask for a pump, nothing else; the pump runs on a clean stack
//! (a microtask of the wrapper in `js/`), drains inputs and effects, and leaves events for the
//! wrapper to fetch. No user code is ever called with a frame of ours on the stack. Everything that
//! listens detaches itself when dropped.

mod count;
mod credentials;
mod database;
mod export;
mod failure;
mod identity;
mod link;
mod listener;
mod lock;
mod member;
mod membership;
mod password;
mod path;
mod plain;
mod preview;
mod promise;
mod pump;
mod record;
mod shapes;
mod socket;
mod storage;
mod wrap;
