//! What the environment can set.

/// Where kernel.org serves its releases.
pub(super) const BASE: &str = "https://cdn.kernel.org/pub/linux/kernel";
/// Names another folder that is laid out like [`BASE`].
pub(super) const BASE_VARIABLE: &str = "REAPERLAB_KERNEL_ORG";
/// Names a keyring for the lists' signatures.
pub(super) const KEYRING_VARIABLE: &str = "REAPERLAB_KERNEL_ORG_KEYRING";
