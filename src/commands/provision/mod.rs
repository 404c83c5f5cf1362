//! From a host's file to a running machine, and its end.

pub mod wanted;
