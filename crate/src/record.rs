//! The replicated database: signed records that every member holds, that converge whatever the order
//! of their arrival, and that end by themselves.

pub mod model;
pub mod reserved;
pub mod search;
pub mod store;
pub mod stored;
pub mod sync;
