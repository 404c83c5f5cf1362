//! `debrole serve`: the repository over HTTP.

use super::{Failure, Outcome, load};
use crate::cli::{self, Global};
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::serve::{Access, Server};
use debrole::source::Sources;
use std::sync::Arc;

pub fn run(args: &cli::Serve, global: &Global, reporter: &Arc<Reporter>) -> Outcome {
    let out = match &global.out {
        Some(out) => out.clone(),
        None => load::places(global, reporter)?.out,
    };
    let log = {
        let reporter = Arc::clone(reporter);
        Arc::new(move |access: &Access| {
            reporter.note(format_args!(
                "{} {} {} {} {}",
                access.peer.ip(),
                access.status,
                access.method,
                access.path,
                access.bytes.map_or("-".to_owned(), |bytes| bytes.to_string()),
            ));
        })
    };
    let server = Server::bind(&out, &args.listen, log).map_err(|diagnostic| {
        reporter.diagnostics(&[diagnostic], &Sources::default());
        Failure::Environment(anyhow!("nothing is served"))
    })?;
    if !out.join("dists").exists() {
        reporter.note(format_args!("{} holds no repository yet: run `debrole build`", out.display()));
    }
    for address in server.addresses() {
        reporter.note(format_args!("Serving {} on http://{address} (Ctrl-C ends it)", out.display()));
    }
    server.run().context("the server stopped")?;
    Ok(())
}
