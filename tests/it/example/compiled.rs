//! That the example fleet compiles.

use debrole::lower::{Keyring, lower};
use debrole::resolve::resolve;
use debrole::tree::Tree;
use std::path::Path;

#[test]
fn without_an_error_or_a_warning() {
    let (mut tree, mut found) = Tree::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let (model, resolved) = resolve(&mut tree);
    found.extend(resolved);
    if let Some(model) = &model {
        let (plans, lowered) = lower(model, &Keyring { binary: b"key".to_vec(), armored: b"key".to_vec() });
        found.extend(lowered);
        assert!(plans.len() >= model.roles.len() + model.hosts.len() + 2);
    }
    assert!(found.is_empty(), "{found:#?}");
    assert!(model.is_some());
}
