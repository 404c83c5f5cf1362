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
    clock_implausible,
    debconf_clash,
    environment_clash,
    generated_path,
    host_value_missing,
    package_unwritable,
    path_claimed_twice,
    prefix_changed,
    published_package_unreadable,
    reserved_path,
    reserved_value,
    service_state_clash,
    site_package_architecture,
    site_package_broken,
    site_package_changed,
    site_package_misnamed,
    site_package_name_taken,
    site_package_path_taken,
    site_package_twice,
    sysctl_clash,
    template_failed,
    template_syntax,
    unknown_template_value,
    version_overtaken,
}

/// The rule with this code.
pub fn find(code: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.code == code)
}
