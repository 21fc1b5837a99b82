//! One JSON object a line: what is measured stays even where the rest is stopped.

use serde_json::Value;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};

/// Where records go; nowhere without a file.
#[derive(Default)]
pub struct Records(Option<RefCell<File>>);

impl Records {
    /// Appends to a file.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn append(path: &str) -> io::Result<Records> {
        Ok(Records(Some(RefCell::new(File::options().create(true).append(true).open(path)?))))
    }

    /// Writes a record at once.
    pub fn add(&self, record: &Value) {
        if let Some(file) = &self.0
            && let Err(error) = file.borrow_mut().write_all(format!("{record}\n").as_bytes())
        {
            eprintln!("a record could not be written: {error}");
        }
    }
}
