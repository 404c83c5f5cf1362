//! The repository: records of packages in, a published generation out. Knows nothing of TOML.

pub mod gate;
pub mod manifest;
