//! What this machine has, as far as this process may use it.

use std::fs::read_to_string;
use std::path::Path;

/// Where nothing can be found out.
const UNKNOWN_BYTES: u64 = 4 << 30;

/// Three quarters of the memory of the machine, or of the control group that this process
/// is in: the host itself, compilers and the page cache need the rest.
pub(crate) fn most_of_memory() -> u64 {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let group = read_to_string("/proc/self/cgroup").ok().and_then(|text| group_limit(&text));
    let least = [machine, group].into_iter().flatten().min().unwrap_or(UNKNOWN_BYTES);
    least / 4 * 3
}

fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The lowest limit of the group and of those that it is in.
fn group_limit(cgroup: &str) -> Option<u64> {
    let unified = cgroup.lines().find_map(|line| line.strip_prefix("0::"));
    let v1 = || cgroup.lines().find_map(|line| line.split_once(":memory:"));
    let (root, group, file) = match (unified, v1()) {
        (_, Some((_, group))) => ("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"),
        (Some(group), None) => ("/sys/fs/cgroup", group, "memory.max"),
        (None, None) => return None,
    };
    let group = Path::new(root).join(group.trim_start_matches('/'));
    let limits = group
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .filter_map(|folder| read_to_string(folder.join(file)).ok()?.trim().parse().ok());
    // In a container, the group's own path is not to be seen, but its files are at the root.
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_and_a_group_without_limit_has_none() {
        assert_eq!(
            total_of("MemTotal:       24684100 kB\nMemFree: 1 kB\n"),
            Some(24_684_100 << 10)
        );
        assert_eq!(total_of("nothing"), None);
        assert_eq!(group_limit("0::/of/nobody/here\n").filter(|bytes| *bytes == 0), None);
        let most = most_of_memory();
        assert!(most > 64 << 20, "{most}");
    }
}
