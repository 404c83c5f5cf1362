//! Diagnostics as text with the source line marked, and as JSON.
