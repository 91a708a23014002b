//! Trees: imported into one git repository of the cache, and written out of it
//! as folders.

mod checkout;
mod history;
mod import;
mod mend;
mod pack;
mod repository;

pub use checkout::{Written, checkout, extract, held};
pub use import::{Input, Progress, Watch, import};
pub(crate) use repository::signature;
pub use repository::{Kernel, Oid, Origin, Store, StoreError};
