//! Where a kernel's source comes from: a Debian package, a release of
//! kernel.org's, a git revision, a folder or a tarball, imported into the store
//! once. `spec.rs` has the forms in which a user names one.

mod archive;
mod debian;
mod error;
mod event;
mod kernel_org;
mod names;
mod release;
mod settings;
mod sources;
mod spec;

pub use error::SourceError;
pub use event::Event;
pub use kernel_org::KernelOrg;
pub use release::Asked;
pub use sources::Sources;
pub use spec::Spec;
