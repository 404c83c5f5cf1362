//! Who may do what where: what packages carry of it to machines ([`format`]), what follows from it machine by machine
//! ([`rights`]), and what must never be published ([`guard`]).

pub mod format;
pub mod guard;
pub mod rights;
