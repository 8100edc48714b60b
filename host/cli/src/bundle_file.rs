//! Bundles and keys as files: read for a command, and what an error of theirs means to its user.

use std::error::Error;
use std::io;
use std::path::Path;

use wfhost_bundle::on_disk::{self, DiskError};
use wfhost_bundle::trust::Trust;
use wfhost_bundle::{
    Bundle, ContentError, FormatError, KeyError, PackError, SigningKey, UnpackError,
};

use crate::error::{CommandError, Result};
use crate::exit_code::ExitCode;

/// Reads a bundle and checks every file in it.
pub(crate) fn read(path: &Path) -> Result<Bundle> {
    let mut file = on_disk::open(path).map_err(disk_error)?;
    Bundle::read(&mut file).map_err(|error| content_error(path, error))
}

pub(crate) fn signing_key(path: &Path) -> Result<SigningKey> {
    SigningKey::read(path).map_err(key_error)
}

pub(crate) fn trust(path: &Path) -> Result<Trust> {
    Trust::read(path).map_err(key_error)
}

pub(crate) fn content_error(path: &Path, source: ContentError) -> CommandError {
    disk_error(DiskError::Content { path: path.to_owned(), source })
}

pub(crate) fn disk_error(error: DiskError) -> CommandError {
    let code = match &error {
        DiskError::Io { source, .. } => of_io(source),
        DiskError::Content { source, .. } => of_content(source),
        DiskError::Pack(error) => of_pack(error),
    };
    let exists = is_io(&error, io::ErrorKind::AlreadyExists);
    let report = match &error {
        DiskError::Content { source: ContentError::Workflow { path, source, text }, .. } => {
            Some(source.render(path.as_str(), text))
        }
        DiskError::Content { .. } | DiskError::Io { .. } | DiskError::Pack(_) => None,
    };
    let mut error = CommandError::new(code, error);
    if let Some(report) = report {
        error = error.report(report.trim_end());
    }
    if exists { error.hint("`--force` replaces it") } else { error }
}

pub(crate) fn pack_error(error: PackError) -> CommandError {
    disk_error(error.into())
}

pub(crate) fn unpack_error(bundle: &Path, folder: &Path, error: UnpackError) -> CommandError {
    match error {
        UnpackError::Format(error) => content_error(bundle, error.into()),
        UnpackError::Write { path, source }
            if path == folder && source.kind() == io::ErrorKind::AlreadyExists =>
        {
            let message = format!("{} is there already, and is left alone", folder.display());
            CommandError::usage(message).hint("`-o FOLDER` names another one")
        }
        UnpackError::Write { ref source, .. } => CommandError::new(of_io(source), error),
    }
}

/// A key that cannot be used is a matter of permissions, of the command line or of its content.
pub(crate) fn key_error(error: KeyError) -> CommandError {
    match &error {
        KeyError::Open { path, wanted, .. } => {
            let remedy = format!("`chmod {wanted:o} {}`", path.display());
            CommandError::new(ExitCode::Denied, error).hint(remedy)
        }
        KeyError::Io { source, .. } => CommandError::new(of_io(source), error),
        KeyError::Content { .. } => CommandError::new(ExitCode::Invalid, error),
        KeyError::Comment => CommandError::new(ExitCode::Usage, error),
        KeyError::NoRandomness(_) => CommandError::new(ExitCode::Store, error),
    }
}

fn of_io(error: &io::Error) -> ExitCode {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists | io::ErrorKind::InvalidInput => {
            ExitCode::Usage
        }
        _ => ExitCode::Store,
    }
}

const fn of_content(error: &ContentError) -> ExitCode {
    match error {
        ContentError::Format(FormatError::Io(_)) => ExitCode::Store,
        _ => ExitCode::Invalid,
    }
}

fn of_pack(error: &PackError) -> ExitCode {
    match error {
        // A file that `bundle.toml` lists and that is not there: the folder is wrong, not the
        // command line.
        PackError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            ExitCode::Invalid
        }
        PackError::Read { source, .. } => of_io(source),
        PackError::Kind { .. } => ExitCode::Invalid,
        PackError::Content(error) => of_content(error),
    }
}

fn is_io(error: &DiskError, kind: io::ErrorKind) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref())
        .is_some_and(|io: &io::Error| io.kind() == kind)
}
