//! The example fleet, on machines.

mod access;
mod adopt;
mod answers;
mod changes;
mod compiled;
mod control;
pub mod fleet;
mod life;
pub mod monitoring;
mod people;
mod refresh;
mod secrets;
