//! What a registry says when it wants to know who we are (`WWW-Authenticate`).

/// How it wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A name and a password with each request.
    Basic,
    /// A token that somebody else gives.
    Bearer {
        /// Where.
        realm: String,
        /// For whom.
        service: Option<String>,
    },
}

impl Challenge {
    /// The one that we prefer among several headers.
    pub(crate) fn of<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Self> {
        let mut found = None;
        for challenge in headers.filter_map(Self::parse) {
            match challenge {
                Self::Bearer { .. } => return Some(challenge),
                Self::Basic => found = Some(challenge),
            }
        }
        found
    }

    fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        for (name, value) in Parameters(rest) {
            if name.eq_ignore_ascii_case("realm") {
                realm = Some(value);
            } else if name.eq_ignore_ascii_case("service") {
                service = Some(value);
            }
        }
        Some(Self::Bearer { realm: realm?, service })
    }
}

/// `name="value",name=value`, until something else comes.
struct Parameters<'t>(&'t str);

impl<'t> Iterator for Parameters<'t> {
    type Item = (&'t str, String);

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0.trim_start_matches([' ', ',', '\t']);
        let (name, rest) = text.split_once('=')?;
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let ends = rest.find([',', ' ']).unwrap_or(rest.len());
                (rest[..ends].to_owned(), &rest[ends..])
            }
        };
        self.0 = rest;
        Some((name.trim(), value))
    }
}

/// Up to the closing quote, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
    }

    fn of(headers: &[&str]) -> Option<Challenge> {
        Challenge::of(headers.iter().copied())
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        assert_eq!(of(&["Basic realm=\"Registry Realm\""]), Some(Challenge::Basic));
        assert_eq!(of(&["basic"]), Some(Challenge::Basic));
        assert_eq!(
            of(&[
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull\"",
            ]),
            bearer("https://auth.docker.io/token", Some("registry.docker.io")),
        );
        assert_eq!(of(&["Bearer realm=https://x/t, service=s"]), bearer("https://x/t", Some("s")));
        assert_eq!(of(&["BEARER realm=\"a\\\"b\""]), bearer("a\"b", None));
        assert_eq!(
            of(&["Basic realm=\"x\"", "Bearer realm=\"https://y\""]),
            bearer("https://y", None)
        );
    }

    #[test]
    fn what_is_none_is_none() {
        for header in ["", " ", "Bearer", "Bearer realm", "Bearer realm=\"open", "Negotiate", "é"]
        {
            assert_eq!(of(&[header]), None);
        }
    }
}
