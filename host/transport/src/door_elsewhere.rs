//! On other systems than Linux nothing is kept in reserve: nobody can be told not to knock.

/// Nothing.
pub(crate) struct Door;

impl Door {
    /// There is none.
    pub(crate) const fn watch(_addresses: &[String]) -> Option<Self> {
        None
    }
}
