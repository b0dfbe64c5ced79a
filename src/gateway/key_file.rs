//! The key that seals secrets at rest: given directly, or kept in a file that only its owner can read.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::OpenError;
use crate::config::Settings;
use crate::domain::secrets::{Sealer, random_hex};

pub(super) fn sealer(settings: &Settings) -> Result<Sealer, OpenError> {
    if let Some(key) = &settings.secrets_key {
        return Sealer::from_hex_key(key.expose())
            .ok_or_else(|| OpenError::Key("secrets.key must be 64 hex characters".to_owned()));
    }
    let path = &settings.secrets_key_file;
    let key = read_or_make(path)
        .map_err(|error| OpenError::Key(format!("cannot use the key file {}: {error}", path.display())))?;
    Sealer::from_hex_key(&key).ok_or_else(|| OpenError::Key(format!("{} must hold 64 hex characters", path.display())))
}

/// The key of an install that there is already.
pub(super) fn existing_sealer(settings: &Settings) -> Result<Sealer, OpenError> {
    let path = &settings.secrets_key_file;
    if settings.secrets_key.is_none() && !path.exists() {
        let what =
            format!("there is no key file {}: put that of the server that the backup was taken of", path.display());
        return Err(OpenError::Key(what));
    }
    sealer(settings)
}

fn read_or_make(path: &Path) -> std::io::Result<String> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    // Written aside and linked into place, so that another process sees no key or the whole key.
    if !path.exists() {
        let aside = path.with_extension(format!("{}.tmp", random_hex(4)));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(random_hex(32).as_bytes())?;
        file.sync_all()?;
        let linked = std::fs::hard_link(&aside, path);
        std::fs::remove_file(&aside)?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let mut file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(std::io::Error::other("others can read it; make it 0600"));
    }
    let mut key = String::new();
    file.read_to_string(&mut key)?;
    Ok(key)
}
