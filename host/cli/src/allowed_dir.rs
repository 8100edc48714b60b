//! Directories on the command line: `PATH[:ro|rw]`.

use std::path::Path;

use wfhost_workflow::{AllowedDir, DirMode};

/// Reads `PATH[:ro|rw]`; without a mode, `ro`. The directory must exist.
pub(crate) fn parse(argument: &str) -> Result<AllowedDir, String> {
    let (path, mode) = match argument.rsplit_once(':') {
        Some((path, "ro")) => (path, DirMode::ReadOnly),
        Some((path, "rw")) => (path, DirMode::ReadWrite),
        _ => (argument, DirMode::ReadOnly),
    };
    let real = Path::new(path).canonicalize().map_err(|error| format!("`{path}`: {error}"))?;
    if !real.is_dir() {
        return Err(format!("`{path}` is not a directory"));
    }
    match real.into_os_string().into_string() {
        Ok(host_path) => Ok(AllowedDir { host_path, mode }),
        Err(_) => Err(format!("`{path}`: its path is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_may_have_a_mode() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        let odd = root.join("a:b");
        std::fs::create_dir(&odd).unwrap();
        std::fs::write(root.join("file"), "").unwrap();
        let check = |suffix: &str, mode| {
            let allowed = parse(&format!("{}{suffix}", odd.display())).unwrap();
            assert_eq!((Path::new(&allowed.host_path), allowed.mode), (odd.as_path(), mode));
        };
        check("", DirMode::ReadOnly);
        check(":ro", DirMode::ReadOnly);
        check(":rw", DirMode::ReadWrite);
        assert!(parse(&format!("{}:wo", odd.display())).is_err());
        assert!(
            parse(&root.join("file").display().to_string())
                .unwrap_err()
                .contains("not a directory")
        );
        assert!(parse(&root.join("none").display().to_string()).is_err());
    }
}
