//! A file of one task's own, which nobody else can open and which goes with it: text that may be larger than memory.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Error, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;

use super::{StoreError, StoreResult};
use crate::domain::secrets::random_hex;

/// Bytes that are read at once, and the rest of the line.
const PIECE: usize = 64 * 1024;

/// Lines that are being written.
pub struct Spool {
    writer: BufWriter<File>,
    fault: Option<Error>,
}

/// Lines that are being read.
pub struct Spooled(BufReader<File>);

fn no_room(error: &Error) -> StoreError {
    StoreError::Unavailable(format!("no room for a temporary file: {error}"))
}

impl Spool {
    /// An empty one.
    ///
    /// # Errors
    /// When there is no room for temporary files.
    pub fn open() -> StoreResult<Self> {
        let path = std::env::temp_dir().join(format!("switchyard-{}", random_hex(16)));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path).map_err(|error| no_room(&error))?;
        // Without a name it lives as long as it is open.
        std::fs::remove_file(&path).map_err(|error| no_room(&error))?;
        Ok(Self { writer: BufWriter::new(file), fault: None })
    }

    /// Writes some lines; that there was no room for them is told by [`Self::finish`].
    pub fn add(&mut self, lines: &str) {
        if self.fault.is_none() {
            self.fault = self.writer.write_all(lines.as_bytes()).err();
        }
    }

    /// Everything that was written, from its beginning.
    ///
    /// # Errors
    /// When there was no room for it.
    pub fn finish(self) -> StoreResult<Spooled> {
        let Self { writer, fault } = self;
        if let Some(fault) = fault {
            return Err(no_room(&fault));
        }
        let mut file = writer.into_inner().map_err(|error| no_room(error.error()))?;
        file.rewind().map_err(|error| no_room(&error))?;
        Ok(Spooled(BufReader::new(file)))
    }
}

impl Spooled {
    /// The next lines; none at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn lines(&mut self) -> StoreResult<Option<String>> {
        let mut lines = Vec::new();
        while lines.len() < PIECE && self.0.read_until(b'\n', &mut lines).map_err(|error| no_room(&error))? > 0 {}
        let lines = String::from_utf8(lines).map_err(|_| StoreError::Missing)?;
        Ok(Some(lines).filter(|lines| !lines.is_empty()))
    }
}
