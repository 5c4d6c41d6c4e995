//! What the program can do by hand, for the administrator of a node.

mod resolve;

pub use resolve::resolve;
