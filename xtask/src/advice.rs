//! What the user can do about errors of the library crates, which know neither
//! commands nor options.

use std::error::Error;

/// The advice for an error and what caused it.
pub fn on(error: &anyhow::Error) -> Vec<String> {
    let mut hints: Vec<String> = error.chain().filter_map(hint).collect();
    hints.dedup();
    hints
}

fn hint(cause: &(dyn Error + 'static)) -> Option<String> {
    cause.downcast_ref().and_then(on_guests)
}

fn on_guests(error: &vm::Error) -> Option<String> {
    use vm::Error;
    Some(match error {
        Error::NoVirtme { .. } => {
            "install it with `cargo xtask doctor --setup`, or Debian's package virtme-ng".to_owned()
        }
        Error::NoQemu { package, .. } => {
            format!("install Debian's package {package}, or run the command again with --setup")
        }
        Error::NotComposed { .. } => {
            "use the version of virtme-ng that `cargo xtask doctor --setup` installs".to_owned()
        }
        Error::KvmUnusable { .. } => "use --accel auto or --accel tcg".to_owned(),
        _ => return None,
    })
}
