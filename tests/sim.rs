//! The simulator: real engines and the server's real rooms in virtual time, all from one seed.
//!
//! A world holds machines (engine, storage, clock, app), the server and the network between them.
//! Everything that happens stands in one queue ordered by time, every choice comes from the seed,
//! so a seed is a universe: it can be run again, and again with a trace.
//!
//! ```text
//! SIM_SEED=123 cargo test --profile sim -p peer-group-tests --test sim replay -- --nocapture
//! SIM_TRACE=1 ...                                     the same, with one line per thing that happens
//! SIM_SEEDS=1000 cargo test --profile sim -p peer-group-tests --test sim seeds -- --nocapture
//! SIM_CRYPTO=real ...                                 with the real primitives
//! SIM_BOUNDS=1 ...                                    and how near to each bound any engine came
//! ```
//!
//! On two cores, 10 000 seeds with the fake primitives take about six minutes (1 300 hours of virtual
//! time), 500 with the real ones about two. A few seeds with a liar who floods take much longer than the
//! others, and are named.
//!
//! A universe has two parts, as in TigerBeetle's simulator. First safety: faults of the kinds the
//! seed draws, and whatever the machines do, no check of [`checks`] may fail. Then everything is
//! mended, and within a bound the group must be whole, talk, and end as it should ([`universe`]).

pub mod agree;
pub mod app;
pub mod bounds;
pub mod checks;
pub mod dice;
pub mod effects;
pub mod faults;
pub mod forger;
pub mod hostile;
pub mod machine;
pub mod net;
pub mod options;
pub mod people;
pub mod runs;
pub mod scene;
pub mod server;
pub mod taint;
pub mod trace;
pub mod universe;
pub mod verify;
pub mod view;
pub mod work;
pub mod world;
