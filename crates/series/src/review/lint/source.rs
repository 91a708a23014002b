//! Where a rule is taken from.

pub(super) const DESCRIBE: &str =
    "Documentation/process/submitting-patches.rst, \"Describe your changes\"";
pub(super) const SIGN: &str = "Documentation/process/submitting-patches.rst, \"Sign your work - the Developer's Certificate of Origin\"";
pub(super) const CO_DEVELOPED: &str = "Documentation/process/submitting-patches.rst, \"When to use Acked-by:, Cc:, and Co-developed-by:\"";
pub(super) const REPORTED: &str = "Documentation/process/submitting-patches.rst, \"Using Reported-by:, Tested-by:, Reviewed-by:, Suggested-by: and Fixes:\"";
pub(super) const FORMAT: &str =
    "Documentation/process/submitting-patches.rst, \"The canonical patch format\"";
pub(super) const SUBJECT: &str = "Documentation/process/submitting-patches.rst, \"Subject Line\"";
pub(super) const TAGS: &str =
    "Documentation/process/5.Posting.rst, \"Patch formatting and changelogs\"";
pub(super) const TIP_SUBJECT: &str = "Documentation/process/maintainer-tip.rst, \"Patch subject\"";
pub(super) const TIP_ORDER: &str =
    "Documentation/process/maintainer-tip.rst, \"Ordering of commit tags\"";

/// Where a rule's source is on the web, where it is one of the kernel's
/// documents.
pub fn url(source: &str) -> Option<String> {
    let document = source.strip_prefix("Documentation/")?;
    let (name, _) = document.split_once(".rst")?;
    Some(format!("https://docs.kernel.org/{name}.html"))
}
