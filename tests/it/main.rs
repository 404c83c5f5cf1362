//! Integration tests: a module a stage.

mod build;
mod machine;
