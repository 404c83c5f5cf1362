//! The example fleet, on machines.

mod compiled;
