//! Where compiled plugins are kept.

use std::path::{Path, PathBuf};

use wfhost_plugin::cache::CacheOptions;

/// What decides where the cache is.
#[derive(Debug, Default)]
struct Surroundings {
    wfhost_cache: Option<PathBuf>,
    xdg_cache_home: Option<PathBuf>,
    home: Option<PathBuf>,
    macos: bool,
}

/// The cache of this user; `None` for a user without a home.
pub(crate) fn options(size_bytes: Option<u64>) -> Option<CacheOptions> {
    let variable =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = folder(&Surroundings {
        wfhost_cache: variable("WFHOST_CACHE"),
        xdg_cache_home: variable("XDG_CACHE_HOME"),
        home: variable("HOME"),
        macos: cfg!(target_os = "macos"),
    })?;
    let options = std::path::absolute(folder).ok().map(CacheOptions::new)?;
    Some(CacheOptions { size_bytes: size_bytes.unwrap_or(options.size_bytes), ..options })
}

fn folder(surroundings: &Surroundings) -> Option<PathBuf> {
    if let Some(folder) = &surroundings.wfhost_cache {
        return Some(folder.clone());
    }
    let home = surroundings.home.as_deref();
    if surroundings.macos {
        return Some(home?.join("Library/Caches/wfhost"));
    }
    // The XDG specification: a relative path is invalid and is ignored.
    let absolute = |path: &&Path| path.is_absolute();
    match surroundings.xdg_cache_home.as_deref().filter(absolute) {
        Some(base) => Some(base.join("wfhost")),
        None => Some(home?.join(".cache/wfhost")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_where_the_user_says_or_the_platform() {
        let check = |cache: Option<&str>, xdg: Option<&str>, macos, expected: &str| {
            let surroundings = Surroundings {
                wfhost_cache: cache.map(PathBuf::from),
                xdg_cache_home: xdg.map(PathBuf::from),
                home: Some("/home/u".into()),
                macos,
            };
            assert_eq!(folder(&surroundings), Some(PathBuf::from(expected)));
        };
        check(None, None, false, "/home/u/.cache/wfhost");
        check(None, Some("/c"), false, "/c/wfhost");
        check(None, Some("relative"), false, "/home/u/.cache/wfhost");
        check(Some("/elsewhere"), Some("/c"), false, "/elsewhere");
        check(None, Some("/c"), true, "/home/u/Library/Caches/wfhost");
        assert_eq!(folder(&Surroundings::default()), None);
    }
}
