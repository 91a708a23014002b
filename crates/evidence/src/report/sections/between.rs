//! What changed of what patched is to base, from one run to another.

use crate::between::Change;
use crate::words::ratio_words;

/// One metric's, in a sentence.
pub(crate) fn words(change: &Change) -> String {
    let [before, after] = change.ratios.map(|ratio| ratio_words(Some(ratio), None));
    let [from, to] = change.blocks;
    format!(
        "{}: patched / base was {before} in {from} blocks and is {after} in {to}: later / earlier \
         {}: {}.",
        change.label,
        ratio_words(Some(change.ratio), change.interval),
        change.verdict.as_str()
    )
}
