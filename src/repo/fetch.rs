//! Filling an empty output directory from what is published.
