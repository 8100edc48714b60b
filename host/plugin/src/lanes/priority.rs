//! The priority of the long lane's threads.

/// Makes the calling thread one that runs when no other has anything to do: its processor
/// is taken away as soon as an ordinary thread wakes up, which a low nice value alone does
/// not bring about.
#[cfg(target_os = "linux")]
pub(crate) fn give_way() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the calling thread, and the parameters outlive the call.
    #[expect(unsafe_code, reason = "no crate offers just this call")]
    let answer = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) };
    if answer != 0 {
        let error = std::io::Error::last_os_error();
        tracing::warn!(%error, "long attempts run at the priority of all others");
    }
}

/// Elsewhere the long lane has threads of its own, and that is all.
#[cfg(not(target_os = "linux"))]
pub(crate) fn give_way() {}
