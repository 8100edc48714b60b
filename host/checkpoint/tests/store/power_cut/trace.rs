//! The recorder: this process's own `pwrite64`, `fdatasync`, `rename` and the like.
#![expect(unsafe_code, reason = "these functions stand in for the C library's")]

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::fd::{BorrowedFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Mode};

/// One change, or one sync.
#[derive(Debug, Clone)]
enum Operation {
    Write { path: PathBuf, at: u64, bytes: Vec<u8> },
    Truncate { path: PathBuf, len: u64 },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
    Create { path: PathBuf },
    Sync { path: PathBuf },
}

/// What of the unsynced changes is on the device.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keep {
    /// None.
    SyncedOnly,
    /// Each or not, and of a write each 512 bytes or not; names in order up to some point.
    Random(u64),
    /// All: the process ended, and the power stayed on.
    Everything,
}

/// Everything that was recorded.
#[derive(Debug)]
pub(crate) struct Trace {
    operations: Vec<Operation>,
}

#[derive(Default)]
struct Recorder {
    root: Option<PathBuf>,
    operations: Vec<Operation>,
}

static RECORDER: Mutex<Option<Recorder>> = Mutex::new(None);

/// Begins to record what happens below `root`.
pub(crate) fn start(root: &Path) {
    let recorder = Recorder { root: Some(root.to_path_buf()), operations: Vec::new() };
    *lock() = Some(recorder);
}

/// How many operations are recorded by now.
pub(crate) fn operations() -> usize {
    lock().as_ref().map_or(0, |recorder| recorder.operations.len())
}

/// Ends recording.
pub(crate) fn stop() -> Trace {
    Trace { operations: lock().take().unwrap().operations }
}

fn lock() -> std::sync::MutexGuard<'static, Option<Recorder>> {
    RECORDER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `act` and records it, in one order for all threads.
fn recorded<T>(
    path: Option<PathBuf>,
    act: impl FnOnce() -> T,
    operation: impl FnOnce(&T, PathBuf) -> Option<Operation>,
) -> T {
    let mut recorder = lock();
    let result = act();
    if let (Some(recorder), Some(path)) = (recorder.as_mut(), path) {
        let inside = recorder.root.as_ref().and_then(|root| path.strip_prefix(root).ok());
        if let Some(inside) = inside
            && let Some(operation) = operation(&result, inside.to_path_buf())
        {
            recorder.operations.push(operation);
        }
    }
    result
}

/// Whether anything is recorded: the path of each descriptor is looked up only then.
fn path_of(fd: c_int) -> Option<PathBuf> {
    lock().as_ref()?;
    let link = format!("/proc/self/fd/{fd}");
    let target = rustix::fs::readlink(link, Vec::new()).ok()?;
    Some(PathBuf::from(OsStr::from_bytes(target.as_bytes())))
}

fn inside(path: &Path) -> Option<PathBuf> {
    let recorder = lock();
    let root = recorder.as_ref()?.root.as_ref()?;
    Some(path.strip_prefix(root).ok()?.to_path_buf())
}

fn answer(result: rustix::io::Result<()>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => fail(error),
    }
}

fn fail(error: rustix::io::Errno) -> c_int {
    unsafe extern "C" {
        fn __errno_location() -> *mut c_int;
    }
    // SAFETY: glibc's and musl's errno of this thread.
    unsafe { *__errno_location() = error.raw_os_error() };
    -1
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, len: usize, at: i64) -> isize {
    // SAFETY: the caller passes an open descriptor and a readable buffer.
    let (file, buffer) = unsafe {
        (BorrowedFd::borrow_raw(fd), std::slice::from_raw_parts(bytes.cast::<u8>(), len))
    };
    let at = at.unsigned_abs();
    let written = recorded(
        path_of(fd),
        || rustix::io::pwrite(file, buffer, at),
        |written, path| {
            let bytes = buffer[..(*written).ok()?].to_vec();
            Some(Operation::Write { path, at, bytes })
        },
    );
    written.map_or_else(|error| fail(error) as isize, usize::cast_signed)
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, len: usize) -> isize {
    // SAFETY: the caller passes an open descriptor and a readable buffer.
    let (file, buffer) = unsafe {
        (BorrowedFd::borrow_raw(fd), std::slice::from_raw_parts(bytes.cast::<u8>(), len))
    };
    let path = path_of(fd);
    // Of files that are only ever appended to in one go, the position is the length so far.
    let at = path.as_ref().and_then(|_| rustix::fs::tell(file).ok()).unwrap_or_default();
    let written = recorded(
        path,
        || rustix::io::write(file, buffer),
        |written, path| {
            let bytes = buffer[..(*written).ok()?].to_vec();
            Some(Operation::Write { path, at, bytes })
        },
    );
    written.map_or_else(|error| fail(error) as isize, usize::cast_signed)
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: the caller passes an open descriptor.
    let file = unsafe { BorrowedFd::borrow_raw(fd) };
    answer(recorded(
        path_of(fd),
        || rustix::fs::fsync(file),
        |done, path| done.ok().map(|()| Operation::Sync { path }),
    ))
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: the caller passes an open descriptor.
    let file = unsafe { BorrowedFd::borrow_raw(fd) };
    answer(recorded(
        path_of(fd),
        || rustix::fs::fdatasync(file),
        |done, path| done.ok().map(|()| Operation::Sync { path }),
    ))
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(fd: c_int, len: i64) -> c_int {
    // SAFETY: the caller passes an open descriptor.
    let file = unsafe { BorrowedFd::borrow_raw(fd) };
    let len = len.unsigned_abs();
    answer(recorded(
        path_of(fd),
        || rustix::fs::ftruncate(file, len),
        |done, path| done.ok().map(|()| Operation::Truncate { path, len }),
    ))
}

/// # Safety
/// As the C library's, with the mode where one is needed.
#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    // SAFETY: the caller passes a string.
    let path = path_at(unsafe { CStr::from_ptr(path) });
    let flags = rustix::fs::OFlags::from_bits_retain(flags.cast_unsigned());
    let is_new = flags.contains(rustix::fs::OFlags::CREATE)
        && rustix::fs::accessat(CWD, &path, rustix::fs::Access::EXISTS, AtFlags::empty()).is_err();
    let truncates = flags.contains(rustix::fs::OFlags::TRUNC) && !is_new;
    let opened = recorded(
        Some(path.clone()),
        || rustix::fs::open(&path, flags, Mode::from_bits_retain(mode.cast_unsigned())),
        |opened, path| {
            opened.as_ref().ok()?;
            if is_new {
                Some(Operation::Create { path })
            } else {
                truncates.then_some(Operation::Truncate { path, len: 0 })
            }
        },
    );
    opened.map_or_else(fail, IntoRawFd::into_raw_fd)
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the caller passes two strings.
    let (from, to) = unsafe { (path_at(CStr::from_ptr(from)), path_at(CStr::from_ptr(to))) };
    let inside_to = inside(&to);
    answer(recorded(
        Some(from.clone()),
        || rustix::fs::rename(&from, &to),
        |done, from| {
            done.ok()?;
            Some(Operation::Rename { from, to: inside_to? })
        },
    ))
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller passes a string.
    let path = path_at(unsafe { CStr::from_ptr(path) });
    answer(recorded(
        Some(path.clone()),
        || rustix::fs::unlink(&path),
        |done, path| done.ok().map(|()| Operation::Remove { path }),
    ))
}

fn path_at(path: &CStr) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(path.to_bytes()))
}

/// A file's content on the device and in the system's memory.
#[derive(Debug, Default, Clone)]
struct File {
    durable: Vec<u8>,
    /// Changes since its last sync: `None` is a truncation to the position.
    pending: Vec<(u64, Option<Vec<u8>>)>,
}

/// A name that came, went or moved since its folder's last sync.
#[derive(Debug, Clone)]
enum Naming {
    Put(PathBuf, usize),
    Remove(PathBuf),
}

/// The device, with the system's memory over it.
#[derive(Debug, Default)]
struct Device {
    files: Vec<File>,
    /// What programs see: name to file.
    seen: HashMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    pending: Vec<Naming>,
}

impl Trace {
    /// How many operations there are.
    pub(crate) fn len(&self) -> usize {
        self.operations.len()
    }

    /// How many of them are syncs.
    pub(crate) fn syncs(&self) -> usize {
        self.operations.iter().filter(|one| matches!(one, Operation::Sync { .. })).count()
    }

    /// Writes to `to` what the device holds if the power goes after `operations`.
    pub(crate) fn rebuild(&self, operations: usize, keep: Keep, to: &Path) {
        let mut device = Device::default();
        for operation in &self.operations[..operations] {
            device.apply(operation);
        }
        device.settle(keep);
        for (path, file) in &device.durable {
            let path = to.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &device.files[*file].durable).unwrap();
        }
    }
}

impl Device {
    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { path, at, bytes } => {
                let file = self.file(path);
                self.files[file].pending.push((*at, Some(bytes.clone())));
            }
            Operation::Truncate { path, len } => {
                let file = self.file(path);
                self.files[file].pending.push((*len, None));
            }
            Operation::Create { path } => {
                self.file(path);
            }
            Operation::Rename { from, to } => {
                if let Some(file) = self.seen.remove(from) {
                    self.seen.insert(to.clone(), file);
                    self.pending.push(Naming::Put(to.clone(), file));
                    self.pending.push(Naming::Remove(from.clone()));
                }
            }
            Operation::Remove { path } => {
                self.seen.remove(path);
                self.pending.push(Naming::Remove(path.clone()));
            }
            Operation::Sync { path } => self.sync(path),
        }
    }

    fn file(&mut self, path: &Path) -> usize {
        if let Some(file) = self.seen.get(path) {
            return *file;
        }
        self.files.push(File::default());
        let file = self.files.len() - 1;
        self.seen.insert(path.to_path_buf(), file);
        self.pending.push(Naming::Put(path.to_path_buf(), file));
        file
    }

    /// Of a file: its content. Of a folder: the names in it.
    fn sync(&mut self, path: &Path) {
        if let Some(file) = self.seen.get(path) {
            self.files[*file].flush(|| true);
            return;
        }
        for naming in std::mem::take(&mut self.pending) {
            let (Naming::Put(name, _) | Naming::Remove(name)) = &naming;
            if name.parent() == Some(path) {
                self.name(naming);
            } else {
                self.pending.push(naming);
            }
        }
    }

    fn name(&mut self, naming: Naming) {
        match naming {
            Naming::Put(name, file) => {
                self.durable.insert(name, file);
            }
            Naming::Remove(name) => {
                self.durable.remove(&name);
            }
        }
    }

    /// The power goes: of what is pending, `keep` is on the device.
    fn settle(&mut self, keep: Keep) {
        let mut random = match keep {
            Keep::SyncedOnly => return,
            Keep::Everything => None,
            Keep::Random(seed) => Some(fastrand::Rng::with_seed(seed)),
        };
        let namings = std::mem::take(&mut self.pending);
        // A journalling file system keeps names in order, up to some point.
        let kept = random.as_mut().map_or(namings.len(), |random| random.usize(0..=namings.len()));
        for naming in namings.into_iter().take(kept) {
            self.name(naming);
        }
        for file in &mut self.files {
            file.flush(|| random.as_mut().is_none_or(fastrand::Rng::bool));
        }
    }
}

const SECTOR: usize = 512;

impl File {
    fn flush(&mut self, mut keeps: impl FnMut() -> bool) {
        for (at, bytes) in std::mem::take(&mut self.pending) {
            let at = usize::try_from(at).unwrap();
            let Some(bytes) = bytes else {
                if keeps() {
                    self.durable.resize(at, 0);
                }
                continue;
            };
            for (n, sector) in bytes.chunks(SECTOR).enumerate() {
                let at = at + n * SECTOR;
                if keeps() {
                    if self.durable.len() < at + sector.len() {
                        self.durable.resize(at + sector.len(), 0);
                    }
                    self.durable[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
    }
}
