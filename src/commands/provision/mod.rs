//! From a host's file to a running machine, and its end.

#[allow(dead_code, reason = "for the commands that make machines")]
pub mod settle;
pub mod wanted;
