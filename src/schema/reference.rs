//! The reference page and the JSON schema, made of the schema's metadata.
