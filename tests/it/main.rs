//! Integration tests: a module a stage.

mod access;
mod architecture;
mod archive;
mod build;
mod deb;
mod example;
mod faults;
mod fleet;
mod gate;
mod lower;
mod machine;
mod packages;
mod program;
mod publish;
mod readers;
mod relation;
mod render;
mod repo;
mod reproducible;
mod resolve;
mod runtime;
mod schema;
mod serve;
mod sign;
mod tree;
mod ui;
