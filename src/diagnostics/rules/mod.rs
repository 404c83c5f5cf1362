//! One rule a file. Each file holds one `pub static RULE: Rule`; this list is the registry that `explain` and the
//! reference read, sorted by module name.

use super::Rule;

macro_rules! rules {
    ($($module:ident,)*) => {
        $(pub mod $module;)*
        /// Every rule there is, sorted by code.
        pub static ALL: &[&Rule] = &[$(&$module::RULE,)*];
    };
}

rules! {
    debconf_clash,
    environment_clash,
    generated_path,
    host_value_missing,
    path_claimed_twice,
    reserved_path,
    reserved_value,
    service_state_clash,
    sysctl_clash,
    template_failed,
    template_syntax,
    unknown_template_value,
}

/// The rule with this code.
pub fn find(code: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.code == code)
}
