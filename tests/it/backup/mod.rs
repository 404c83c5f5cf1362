//! Backups: what is compiled for them, the plugin that tells of them, and what they do on machines.

mod compiled;
mod enrolment;
mod life;
mod plugin;
mod refused;
mod texts;
