//! `debrole serve`: the repository over HTTP.

use super::{Outcome, load};
use crate::cli::{self, Global};
use crate::reporter::Reporter;
use anyhow::{Context, bail};

pub fn run(args: &cli::Serve, global: &Global, reporter: &Reporter) -> Outcome {
    let out = match &global.out {
        Some(out) => out.clone(),
        None => load::places(global)?.out,
    };
    (|| {
        if !out.join("dists").exists() {
            bail!("{} holds no repository yet: run `debrole build` first", out.display());
        }
        let server = debrole::serve::Server::bind(args.listen, &out)
            .with_context(|| format!("can't listen on {}", args.listen))?;
        reporter.note(format_args!("Serving {} on http://{} (Ctrl-C ends it)", out.display(), server.address()));
        server.run(&|line: &str| reporter.note(line)).context("the server stopped")
    })()?;
    Ok(())
}
