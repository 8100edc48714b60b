//! What can go wrong, and how often.

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The coordinator's process ends, at any point between two of its actions.
    Crash,
    /// A message never arrives.
    Lost,
    /// A message arrives twice.
    Doubled,
    /// A message arrives after more than a lease.
    Late,
    /// Messages overtake each other.
    Reordered,
    /// The store fails and has stored nothing.
    StoreFails,
    /// The store has stored the batch and reports a failure.
    StoredButFailed,
    /// A worker's process ends and another takes its place.
    WorkerDies,
    /// A worker keeps its link open and does nothing more with an attempt.
    Hang,
    /// A worker reports results that nobody asked for.
    Bogus,
    /// The step fails, in any of the ways in which it can.
    StepFails,
    /// Somebody cancels the run.
    Cancel,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Crash,
        Self::Lost,
        Self::Doubled,
        Self::Late,
        Self::Reordered,
        Self::StoreFails,
        Self::StoredButFailed,
        Self::WorkerDies,
        Self::Hang,
        Self::Bogus,
        Self::StepFails,
        Self::Cancel,
    ];

    /// The chance at each opportunity, so that a run of some 25 steps meets a few of a kind.
    const fn chance(self) -> f64 {
        match self {
            Self::Crash => 0.02,
            Self::Lost | Self::Late => 0.03,
            Self::Doubled | Self::Bogus => 0.1,
            Self::Reordered => 0.5,
            Self::StoreFails | Self::StoredButFailed => 0.04,
            Self::WorkerDies | Self::Hang => 0.05,
            Self::StepFails => 0.15,
            Self::Cancel => 0.02,
        }
    }
}

/// The faults of one run, and how many struck.
#[derive(Debug)]
pub struct Faults {
    enabled: Vec<Fault>,
    struck: [u32; Fault::ALL.len()],
    /// A crash at exactly this opportunity, besides the drawn ones.
    crash_at: Option<u32>,
    crash_points: u32,
}

/// After this many, the world is kind, so that every run can end.
const STRIKES_MAX: u32 = 40;

impl Faults {
    /// One kind alone.
    #[must_use]
    pub fn only(fault: Fault) -> Self {
        Self::of(&[fault])
    }

    /// All kinds together.
    #[must_use]
    pub fn all() -> Self {
        Self::of(&Fault::ALL)
    }

    /// No drawn faults, but one crash at the opportunity with this number.
    #[must_use]
    pub fn crash_at(point: u32) -> Self {
        Self { crash_at: Some(point), ..Self::of(&[]) }
    }

    fn of(enabled: &[Fault]) -> Self {
        Self {
            enabled: enabled.to_vec(),
            struck: [0; Fault::ALL.len()],
            crash_at: None,
            crash_points: 0,
        }
    }

    /// Whether a fault strikes now.
    pub(crate) fn strikes(&mut self, fault: Fault, random: &mut fastrand::Rng) -> bool {
        if fault == Fault::Crash {
            self.crash_points += 1;
            if self.crash_at == Some(self.crash_points) {
                self.struck[fault as usize] += 1;
                return true;
            }
        }
        if !self.enabled.contains(&fault) || self.total() >= STRIKES_MAX {
            return false;
        }
        let strikes = random.f64() < fault.chance();
        if strikes {
            self.struck[fault as usize] += 1;
        }
        strikes
    }

    /// How many struck, of all kinds.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.struck.iter().sum()
    }

    /// How many opportunities for a crash there were.
    #[must_use]
    pub const fn crash_points(&self) -> u32 {
        self.crash_points
    }
}
