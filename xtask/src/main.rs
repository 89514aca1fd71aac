//! Build steps of peer-group.
fn main() {}
