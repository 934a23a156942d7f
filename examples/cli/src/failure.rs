//! What can go wrong at run time, as the sentence the user reads: which file, which row, and what to do about it.

use std::fmt::{self, Display};
use std::io;
use std::path::Path;

/// A failed run.
#[derive(Debug)]
pub enum Failure {
    /// The sentence for the user.
    Message(String),
    /// Standard output is closed (`nnn demo | head`): nobody is left to read a message.
    Closed,
}

pub type Result<T> = std::result::Result<T, Failure>;

/// A failure with a message.
pub fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(Failure::Message(message.into()))
}

/// A failure about a file; the remedy is part of the message.
pub fn fail_at<T>(path: &Path, message: impl Display) -> Result<T> {
    fail(format!("{}: {message}", path.display()))
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Message(message) => f.write_str(message),
            Failure::Closed => f.write_str("standard output is closed"),
        }
    }
}

impl From<nnn::Error> for Failure {
    fn from(error: nnn::Error) -> Self {
        Failure::Message(error.to_string())
    }
}

/// Errors of standard output; those of files are turned into messages where the path is known.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Message(format!("standard output: {error}")),
        }
    }
}
