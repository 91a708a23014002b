//! Whether options stood on the command line, or are all defaults.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Id};

/// A group of options, to be flattened.
#[derive(Debug)]
pub struct Given<T> {
    pub options: T,
    /// Whether the user gave one of them.
    pub any: bool,
}

impl<T: Args> FromArgMatches for Given<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        let group = T::augment_args(Command::new("group"));
        let any = group.get_arguments().any(|option| {
            matches.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine)
        });
        Ok(Self {
            options: T::from_arg_matches_mut(matches)?,
            any,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<T: Args> Args for Given<T> {
    fn group_id() -> Option<Id> {
        T::group_id()
    }

    fn augment_args(command: Command) -> Command {
        T::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}
