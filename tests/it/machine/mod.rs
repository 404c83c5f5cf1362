//! Debian machines to test on: base trees in a cache outside of the checkout, copies of them that live as long as
//! a test, commands in them (chroot, or booted by systemd-nspawn), and a switch of their own between them. Nothing
//! here touches the network: the Debian packages that roles need are in a local pool, made once ([`cache`]).
//!
//! ```ignore
//! if machine::skip("what the test shows", &[Need::Trees]) { return; }
//! let tree = Tree::new(Release::Bookworm);
//! tree.write("/etc/motd", "hello\n");
//! assert_eq!(tree.ok("cat /etc/motd"), "hello\n");
//! ```

#![allow(dead_code, reason = "a harness for all tests: not every one of them uses all of it")]

mod absent;
mod boot;
mod cache;
mod command;
mod lab;
mod mounts;
pub mod packages;
mod tree;

#[allow(unused_imports)]
pub use self::{
    absent::{Need, skip},
    boot::Machine,
    cache::{Release, cache_directory, sources as debian_sources},
    command::Outcome,
    lab::Lab,
    mounts::Scratch,
    tree::{Services, Tree},
};

mod itself;
