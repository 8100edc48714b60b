//! Which bundles are used, by whoever keeps a list of trusted keys: a coordinator, a worker.

use wfhost_workflow::TimestampMs;

use super::{Current, Refused, Signer, Standing, TrustFile};
use crate::KeyId;
use crate::signature::Signatures;

/// What becomes of bundles that nobody has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unsigned {
    /// They are not used.
    #[default]
    Refused,
    /// They are, and so are those that strangers have signed: for development. What a revoked key
    /// has signed is refused all the same.
    Allowed,
}

/// Which bundles are used: decided anew each time somebody asks, by the list as it is then.
#[derive(Debug, Default)]
pub struct TrustPolicy {
    /// Whom the operator trusts; `None`: nobody.
    pub file: Option<TrustFile>,
    /// What becomes of bundles without a signature.
    pub unsigned: Unsigned,
}

/// A bundle is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// There is no list of trusted keys.
    #[error("there is no list of trusted keys")]
    NoList,
    /// Nobody who may deploy it has signed.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl TrustPolicy {
    /// Whom the operator trusts now; `None`: there is no list.
    #[must_use]
    pub fn current(&self) -> Option<Current> {
        self.file.as_ref().map(TrustFile::current).filter(|current| current.generation > 0)
    }

    /// Whether a bundle of this name may be used, and who signed it. The signatures must have been
    /// checked against its digest, and the name must be the one in it.
    ///
    /// # Errors
    /// If not, with what is wrong with each signature.
    pub fn admit(
        &self,
        name: &str,
        signatures: &Signatures,
        now: TimestampMs,
    ) -> Result<Vec<Signer>, NotAdmitted> {
        self.admit_keys(name, signatures.keys(), now)
    }

    /// The same of a bundle whose signatures were checked before: these keys have signed it.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn admit_keys(
        &self,
        name: &str,
        keys: impl IntoIterator<Item = KeyId>,
        now: TimestampMs,
    ) -> Result<Vec<Signer>, NotAdmitted> {
        let trust = match (self.current(), self.unsigned) {
            (Some(current), _) => current.trust,
            (None, Unsigned::Allowed) => std::sync::Arc::default(),
            (None, Unsigned::Refused) => return Err(NotAdmitted::NoList),
        };
        let refused = match trust.admit_keys(name, keys, now) {
            Ok(signers) => return Ok(signers),
            Err(refused) => refused,
        };
        match (self.unsigned, refused) {
            (Unsigned::Allowed, Refused::Unsigned { .. }) => Ok(Vec::new()),
            (Unsigned::Allowed, Refused::NotTrusted { signers, .. })
                if !signers.iter().any(is_revoked) =>
            {
                Ok(signers)
            }
            (Unsigned::Allowed | Unsigned::Refused, refused) => Err(refused.into()),
        }
    }
}

const fn is_revoked(signer: &Signer) -> bool {
    matches!(signer.standing, Standing::Revoked { .. })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wfhost_workflow::Digest;

    use super::*;
    use crate::SigningKey;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed([seed; 32], "").unwrap()
    }

    fn signed(by: &[u8]) -> Signatures {
        let mut signatures = Signatures::none();
        for &seed in by {
            signatures.sign(Digest::of(b"a"), &key(seed)).unwrap();
        }
        signatures
    }

    #[test]
    fn what_is_admitted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trust.toml");
        let (trusted, revoked) = (key(1).id(), key(9).id());
        let text = format!(
            "[[keys]]\nid = \"{trusted}\"\ndeploys = [\"*\"]\n[[revoked]]\nid = \"{revoked}\"\n"
        );
        fs::write(&path, text).unwrap();
        let check = |by: &[u8], list: bool, unsigned, admitted: bool| {
            let path = if list { path.clone() } else { folder.path().join("not-there") };
            let file = Some(TrustFile::open_or_await(&path).unwrap());
            let policy = TrustPolicy { file, unsigned };
            let found = policy.admit("a", &signed(by), TimestampMs(1_780_000_000_000));
            assert_eq!(found.is_ok(), admitted, "{by:?} {list} {unsigned:?}: {found:?}");
        };
        use Unsigned::{Allowed, Refused};
        for (by, strict, loose) in [
            (&[][..], false, true),
            (&[1], true, true),
            (&[2], false, true),
            (&[9], false, false),
            (&[2, 9], false, false),
            (&[1, 9], true, true),
        ] {
            check(by, true, Refused, strict);
            check(by, true, Allowed, loose);
            check(by, false, Refused, false);
            check(by, false, Allowed, true);
        }
    }
}
