//! debrole compiles a tree of TOML into signed Debian packages and an apt repository. It is a compiler whose stages
//! can be read in order:
//!
//! ```text
//! read → parse → resolve → lower → build → index → sign → publish
//! ```
//!
//! | stage | module | from → to |
//! |---|---|---|
//! | read | [`tree`] | directory → texts and bytes |
//! | parse | [`schema`] | text → spanned AST; never fails: `(Ast, Vec<Diagnostic>)` |
//! | resolve | [`resolve`] | AST → [`model`] |
//! | who may what | [`access`] | grants and members → rights, machine by machine |
//! | lower | [`lower`] | [`model`] → [`plan`] |
//! | build | [`build`], [`deb`] | plan + what is published → versions and bytes |
//! | ask Debian | [`archive`] | names and apt's solver; the gate before a commit |
//! | index, sign, publish | [`repo`], [`sign`] | .debs → generations of a signed repository |

pub mod access;
pub mod adopt;
pub mod age;
pub mod allocate;
pub mod archive;
pub mod build;
pub mod deb;
pub mod diagnostics;
pub mod exec;
pub mod host_apt;
pub mod leak;
pub mod lower;
pub mod model;
pub mod names;
pub mod near;
pub mod plan;
pub mod provision;
pub mod relation;
pub mod repo;
pub mod resolve;
pub mod schema;
pub mod scratch;
pub mod serve;
pub mod sign;
pub mod source;
pub mod ssh_key;
pub mod sudoers;
pub mod tree;
