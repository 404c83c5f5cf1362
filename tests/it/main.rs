//! Integration tests: a module a stage.

mod build;
mod deb;
mod fleet;
mod machine;
mod publish;


