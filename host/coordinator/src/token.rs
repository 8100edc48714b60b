//! What shows that a worker was given an attempt.

use wfhost_transport::PeerKey;
use wfhost_transport::message::Token;
use wfhost_workflow::AttemptId;

/// Makes tokens and knows its own: also those that a former process of this data folder made.
pub(crate) struct Tokens {
    secret: [u8; 32],
}

impl Tokens {
    pub(crate) const fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// For this attempt, and for nobody but the holder of this key.
    pub(crate) fn of(&self, attempt: AttemptId, key: PeerKey) -> Token {
        let AttemptId { run, task, attempt } = attempt;
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        // Each part has a fixed length, so that no two attempts read the same.
        hasher.update(run.to_string().as_bytes());
        hasher.update(&(task.step.position() as u64).to_le_bytes());
        hasher.update(&task.index.map_or(u64::MAX, u64::from).to_le_bytes());
        hasher.update(&attempt.0.to_le_bytes());
        match key {
            PeerKey::Local => hasher.update(&[0; 33]),
            PeerKey::Key(key) => hasher.update(&[1]).update(key.bytes()),
        };
        let mut token = [0; 16];
        token.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Token(token)
    }

    /// Whether this is the attempt's token for that key; takes as long whatever is wrong.
    pub(crate) fn is(&self, token: Token, attempt: AttemptId, key: PeerKey) -> bool {
        let right = self.of(attempt, key).0.into_iter();
        right.zip(token.0).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

#[cfg(test)]
mod tests {
    use wfhost_workflow::{Attempt, RunId, StepId, TaskId, TimestampMs};

    use super::*;

    #[test]
    fn a_token_is_for_one_attempt_one_key_and_one_folder() {
        let attempt = |run, step, index, attempt| AttemptId {
            run: RunId::new(TimestampMs(1), run),
            task: TaskId { step: StepId(step), index },
            attempt: Attempt(attempt),
        };
        let key = |digit: &str| PeerKey::Key(digit.repeat(32).parse().unwrap());
        let tokens = Tokens::new([1; 32]);
        let this = attempt(1, 0, None, 1);
        let token = tokens.of(this, key("aa"));
        assert!(tokens.is(token, this, key("aa")));
        assert!(Tokens::new([1; 32]).is(token, this, key("aa")), "after a restart");
        let others = [
            attempt(2, 0, None, 1),
            attempt(1, 1, None, 1),
            attempt(1, 0, Some(0), 1),
            attempt(1, 0, None, 2),
        ];
        assert!(others.into_iter().all(|other| !tokens.is(token, other, key("aa"))));
        assert!(!tokens.is(token, this, key("ab")) && !tokens.is(token, this, PeerKey::Local));
        assert!(!Tokens::new([2; 32]).is(token, this, key("aa")));
        assert!(!tokens.is(Token::default(), this, key("aa")));
    }
}
