//! A run as it is stored: `run.json` of this schema and of those before it.

use results::record::Record;
use serde_json::{Map, Value, json};

use crate::run::{Round, Run, SCHEMA};

/// The oldest schema that is still read.
const OLDEST: u32 = 1;

/// Why a file is not a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not what `run.json` holds.
    #[error("it is not a valid run.json: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version of the tool wrote it.
    #[error("it has schema {0}; this version reads schemas {OLDEST} to {SCHEMA}")]
    Schema(u64),
}

/// Reads `run.json`. The raw output of its rounds is not in it: whoever has
/// filled in [`Round::ktap`] and [`Round::records`] gives each round to
/// [`complete`] with the schema that this returns.
///
/// # Errors
/// When the text is not JSON, not a run, or of a schema that is not known.
pub fn read(json: &[u8]) -> Result<(Run, u32), Error> {
    let mut value: Value = serde_json::from_slice(json)?;
    let schema = match value.get("schema").and_then(Value::as_u64) {
        None | Some(0) => SCHEMA,
        Some(schema) => u32::try_from(schema)
            .ok()
            .filter(|schema| (OLDEST..=SCHEMA).contains(schema))
            .ok_or(Error::Schema(schema))?,
    };
    if schema == 1
        && let Some(run) = value.as_object_mut()
    {
        from_schema_1(run);
    }
    let mut run: Run = serde_json::from_value(value)?;
    run.schema = SCHEMA;
    Ok((run, schema))
}

/// Adds to a round of an older schema the facts that it had as words.
pub fn complete(round: &mut Round, schema: u32) {
    if schema > 1 {
        return;
    }
    let said = |words: &'static str| {
        let of = round.ktap.tests.iter();
        of.filter(move |test| test.why.as_deref().is_some_and(|why| why.contains(words)))
            .map(|test| test.name.clone())
    };
    let facts: Vec<Record> = said("not run: left to a fresh guest")
        .map(|scenario| Record::HandedOver { scenario })
        .chain(said("timeout: no result within").map(|scenario| Record::TimedOut { scenario }))
        .collect();
    round.records.extend(facts);
}

/// Schema 1 had a boot's purpose as three flags, and lost boots among the notes.
fn from_schema_1(run: &mut Map<String, Value>) {
    for round in run
        .get_mut("rounds")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        let mut flag = |name| round.remove(name) == Some(Value::Bool(true));
        let purpose = match (flag("traced"), flag("sweep"), flag("bare")) {
            (true, _, _) => "correctness",
            (_, true, false) => "probed-sweep",
            (_, true, true) => "unprobed-sweep",
            (_, false, true) => "unprobed",
            (_, false, false) => "probed",
        };
        round.insert("purpose".into(), purpose.into());
    }
    if let Some(bare) = run.remove("bare") {
        run.insert("unprobed".into(), bare);
    }
    let Some(notes) = run.get_mut("notes").and_then(Value::as_array_mut) else {
        return;
    };
    let (lost, kept): (Vec<_>, Vec<_>) = notes
        .drain(..)
        .map(|note| (lost_boot(&note), note))
        .partition(|(lost, _)| lost.is_some());
    *notes = kept.into_iter().map(|(_, note)| note).collect();
    let lost: Vec<Value> = lost.into_iter().filter_map(|(lost, _)| lost).collect();
    run.insert("lost_boots".into(), lost.into());
}

/// `boot 3 of 16, base: WHY`, counted from 1.
fn lost_boot(note: &Value) -> Option<Value> {
    let (boot, why) = note.as_str()?.strip_prefix("boot ")?.split_once(": ")?;
    let (number, arm) = boot.split_once(", ")?;
    let number: u32 = number.split(' ').next()?.parse().ok()?;
    Some(json!({ "index": number.checked_sub(1)?, "arm": arm, "why": why }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_a_purpose() {
        let run = json!({
            "rounds": [
                { "traced": true, "bare": false },
                { "traced": false, "bare": true, "sweep": true },
                { "traced": false },
            ],
            "bare": { "sum": "sum-to-gone" },
            "notes": ["boot 3 of 16, base: \"int3\" is a fault", "measured no more after 60 s"],
        });
        let Value::Object(mut run) = run else {
            unreachable!()
        };
        from_schema_1(&mut run);
        assert_eq!(
            Value::Object(run),
            json!({
                "rounds": [
                    { "purpose": "correctness" },
                    { "purpose": "unprobed-sweep" },
                    { "purpose": "probed" },
                ],
                "unprobed": { "sum": "sum-to-gone" },
                "notes": ["measured no more after 60 s"],
                "lost_boots": [{ "index": 2, "arm": "base", "why": "\"int3\" is a fault" }],
            })
        );
    }

    #[test]
    fn what_is_not_a_run_is_said() {
        for (text, expected) in [
            ("", "it is not a valid run.json: EOF"),
            ("{}", "it is not a valid run.json: missing field `schema`"),
            (
                r#"{"schema":1}"#,
                "it is not a valid run.json: missing field",
            ),
            (
                r#"{"schema":99}"#,
                "it has schema 99; this version reads schemas 1 to 2",
            ),
            (r#"{"schema":-1}"#, "it is not a valid run.json"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
