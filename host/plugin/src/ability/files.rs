//! The two functions of WASI's file system that are ours: which directories there are,
//! and opening a path.
//!
//! A guest gets regular files and directories and nothing else: opening a FIFO or a
//! device can block a thread for ever, past any timeout. The check is made on the opened
//! descriptor, so nobody can swap the file between check and use; all paths resolve
//! beneath the granted directory (`openat2`, or its emulation in cap-primitives).

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Weak};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_primitives::fs::OpenOptions;
use rustix::fs::{FileType, OFlags};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir, File as OpenFile};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, OpenFlags, PathFlags,
};
use wasmtime_wasi::runtime::spawn_blocking;
use wasmtime_wasi::{FsPerms, OpenMode};
use wfhost_workflow::{Limit, Limits};

use crate::ability::LogLevel;
use crate::failure::bounded;
use crate::limits::OverLimit;
use crate::state::AttemptState;

/// The names under which wasmtime-wasi links these interfaces, version included.
pub(crate) const TYPES: &str = "wasi:filesystem/types@0.2.12";
const PREOPENS: &str = "wasi:filesystem/preopens@0.2.12";

/// A guest's path in a message.
const PATH_BYTES_MAX: usize = 256;

/// Replaces what wasmtime-wasi has linked before.
pub(crate) fn link(linker: &mut Linker<AttemptState>) -> wasmtime::Result<()> {
    linker
        .instance(PREOPENS)?
        .func_wrap("get-directories", |mut store: StoreContextMut<'_, AttemptState>, ()| {
            Ok((preopens(store.data_mut())?,))
        })?;
    linker.instance(TYPES)?.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store, (dir, follow, path, open, access): (_, _, String, _, _)| {
            Box::new(async move {
                let wanted = Wanted { follow, open, access };
                Ok((open_at(store.data_mut(), &dir, path, wanted).await?,))
            })
        },
    )
}

fn preopens(state: &mut AttemptState) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
    let mut preopens = Vec::new();
    for (dir, guest_path) in state.dirs.preopens() {
        let dir = state.table.push(Descriptor::Dir(dir.clone()))?;
        preopens.push((dir, guest_path.clone()));
    }
    Ok(preopens)
}

/// What a guest has open. A stream of a file keeps it open when its handle is gone.
pub(crate) struct OpenFiles {
    max: u64,
    open: Vec<Weak<File>>,
}

impl OpenFiles {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { max: limits[Limit::OpenFiles], open: Vec::new() }
    }

    /// Whether there is room for one more.
    fn check(&mut self) -> Result<(), OverLimit> {
        self.open.retain(|file| file.strong_count() > 0);
        if (self.open.len() as u64) < self.max {
            return Ok(());
        }
        let what = "the step opens one more file or directory at the same time";
        Err(OverLimit::new(Limit::OpenFiles, self.max, what))
    }

    fn add(&mut self, descriptor: &Descriptor) {
        self.open.push(match descriptor {
            Descriptor::File(file) => Arc::downgrade(&file.file),
            Descriptor::Dir(dir) => Arc::downgrade(&dir.dir),
        });
    }
}

/// How a guest wants a path opened.
#[derive(Clone, Copy)]
struct Wanted {
    follow: PathFlags,
    open: OpenFlags,
    access: DescriptorFlags,
}

/// Why a path was not opened.
enum Refused {
    /// The file system says so.
    Failed(ErrorCode),
    /// We say so: the attempt's denial.
    Denied(ErrorCode, &'static str),
    /// The attempt may make no more files.
    Over(OverLimit),
}

impl From<OverLimit> for Refused {
    fn from(over: OverLimit) -> Self {
        Self::Over(over)
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        // An attempt to escape is the only such error that the kernel has not given.
        if error.kind() == std::io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
            Self::Denied(ErrorCode::NotPermitted, "leads outside the granted directory")
        } else {
            Self::Failed(ErrorCode::from(error))
        }
    }
}

async fn open_at(
    state: &mut AttemptState,
    dir: &Resource<Descriptor>,
    path: String,
    wanted: Wanted,
) -> wasmtime::Result<Result<Resource<Descriptor>, ErrorCode>> {
    state.open_files.check()?;
    let Descriptor::Dir(dir) = state.table.get(dir)? else {
        return Ok(Err(ErrorCode::NotDirectory));
    };
    let (dir, shown) = (dir.clone(), bounded(&path, PATH_BYTES_MAX));
    let written = Arc::clone(&state.written);
    let opened = match wanted.mode(dir.perms) {
        Ok(mode) => {
            spawn_blocking(move || {
                if wanted.makes(&dir, &path) {
                    written.count_file()?;
                }
                open_in(&dir, &path, wanted, mode)
            })
            .await
        }
        Err(refused) => Err(refused),
    };
    match opened {
        Ok(descriptor) => {
            state.open_files.add(&descriptor);
            Ok(Ok(state.table.push(descriptor)?))
        }
        Err(Refused::Failed(code)) => Ok(Err(code)),
        Err(Refused::Over(over)) => Err(over.into()),
        Err(Refused::Denied(code, why)) => {
            let denial = format!("`{shown}` {why}");
            if state.dirs.deny(&denial) {
                state.log.host_line(LogLevel::Warn, format!("refused to open {denial}"));
            }
            Ok(Err(code))
        }
    }
}

impl Wanted {
    /// Whether opening makes a file, as far as can be told before.
    fn makes(self, dir: &Dir, path: &str) -> bool {
        let exists =
            || cap_primitives::fs::stat(&dir.dir, Path::new(path), FollowSymlinks::Yes).is_ok();
        self.open.contains(OpenFlags::CREATE) && !exists()
    }

    /// Which accesses this needs, if the directory's permissions allow them.
    fn mode(self, perms: FsPerms) -> Result<OpenMode, Refused> {
        let sync = DescriptorFlags::FILE_INTEGRITY_SYNC
            | DescriptorFlags::DATA_INTEGRITY_SYNC
            | DescriptorFlags::REQUESTED_WRITE_SYNC;
        if self.access.intersects(sync) {
            return Err(Refused::Failed(ErrorCode::Unsupported));
        }
        let changes = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
        if self.open.contains(OpenFlags::DIRECTORY) && self.open.intersects(changes) {
            return Err(Refused::Failed(ErrorCode::Invalid));
        }
        let mut mode = OpenMode::empty();
        if self.open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
            || self.access.contains(DescriptorFlags::WRITE)
        {
            mode |= OpenMode::WRITE;
        }
        if self.access.contains(DescriptorFlags::READ)
            || !self.access.contains(DescriptorFlags::WRITE)
        {
            mode |= OpenMode::READ;
        }
        if perms.write_not_permitted() && mode.contains(OpenMode::WRITE) {
            let why = "is below a directory that is granted read-only (`mode: ro`)";
            return Err(Refused::Denied(ErrorCode::NotPermitted, why));
        }
        Ok(mode)
    }

    fn options(self, mode: OpenMode) -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(mode.contains(OpenMode::READ)).write(mode.contains(OpenMode::WRITE));
        if self.open.contains(OpenFlags::CREATE) {
            if self.open.contains(OpenFlags::EXCLUSIVE) {
                options.create_new(true);
            } else {
                options.create(true);
            }
        }
        options.truncate(self.open.contains(OpenFlags::TRUNCATE));
        let follow = self.follow.contains(PathFlags::SYMLINK_FOLLOW);
        options.follow(if follow { FollowSymlinks::Yes } else { FollowSymlinks::No });
        // Without this, opening a FIFO waits for its other end.
        options.nonblock(true);
        options
    }
}

/// Opens and looks at what it got. Blocks as long as the file system does.
fn open_in(dir: &Dir, path: &str, wanted: Wanted, mode: OpenMode) -> Result<Descriptor, Refused> {
    let opened = cap_primitives::fs::open(&dir.dir, Path::new(path), &wanted.options(mode))
        .map_err(|error| match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            // What a FIFO or a socket answers to those who may not wait.
            Some(rustix::io::Errno::NXIO) => NOT_A_FILE,
            Some(_) | None => Refused::from(error),
        })?;
    let is_directory = wanted.open.contains(OpenFlags::DIRECTORY);
    match file_type(&opened)? {
        FileType::Directory => Ok(Descriptor::Dir(Dir::new(opened, dir.perms, mode, false))),
        FileType::RegularFile if is_directory => Err(Refused::Failed(ErrorCode::NotDirectory)),
        FileType::RegularFile => {
            let flags = rustix::fs::fcntl_getfl(&opened).map_err(std::io::Error::from)?;
            rustix::fs::fcntl_setfl(&opened, flags - OFlags::NONBLOCK)
                .map_err(std::io::Error::from)?;
            Ok(Descriptor::File(OpenFile::new(opened, dir.perms, mode, false)))
        }
        FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Err(NOT_A_FILE),
    }
}

const NOT_A_FILE: Refused =
    Refused::Denied(ErrorCode::NotPermitted, "is neither a regular file nor a directory");

fn file_type(file: &File) -> Result<FileType, std::io::Error> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode))
}
