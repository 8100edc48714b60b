//! Walks the text of one JSON value without making a tree of it.
//!
//! Numbers stay text, so that each is read as the type that wants it. The text is known
//! to be JSON ([`Json`]'s invariant); where it is not, [`Broken`] is the answer, never a
//! panic.
//!
//! [`Json`]: wfhost_workflow::Json

use std::borrow::Cow;

/// Text of a value that an error shows.
const SHOWN_BYTES_MAX: usize = 40;

/// The text is not JSON, or a string of it is not Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// What begins at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// A cursor in the text.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'t> {
    text: &'t str,
    at: usize,
}

/// Where the next item of an array or object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Item,
    End,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// What begins here.
    pub(crate) fn kind(&mut self) -> Result<Kind, Broken> {
        match self.byte() {
            Some(b'n') => Ok(Kind::Null),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b'"') => Ok(Kind::String),
            Some(b'[') => Ok(Kind::Array),
            Some(b'{') => Ok(Kind::Object),
            Some(_) | None => Err(Broken),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), Broken> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(Broken);
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes `null`.
    pub(crate) fn null(&mut self) -> Result<(), Broken> {
        self.kind()?;
        self.literal("null")
    }

    /// Passes `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, Broken> {
        if self.byte() == Some(b't') {
            self.literal("true").map(|()| true)
        } else {
            self.literal("false").map(|()| false)
        }
    }

    /// Passes a number and gives its text.
    pub(crate) fn number(&mut self) -> Result<&'t str, Broken> {
        if self.kind()? != Kind::Number {
            return Err(Broken);
        }
        let from = self.at;
        let bytes = self.text.as_bytes();
        while let Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') = bytes.get(self.at) {
            self.at += 1;
        }
        self.text.get(from..self.at).ok_or(Broken)
    }

    /// Passes a string and gives what it says.
    pub(crate) fn string(&mut self) -> Result<Cow<'t, str>, Broken> {
        let (raw, escaped) = self.raw_string()?;
        if !escaped {
            return raw.get(1..raw.len() - 1).map(Cow::Borrowed).ok_or(Broken);
        }
        serde_json::from_str::<String>(raw).map(Cow::Owned).map_err(|_no_unicode| Broken)
    }

    /// With its quotes, and whether it has escapes.
    fn raw_string(&mut self) -> Result<(&'t str, bool), Broken> {
        if self.byte() != Some(b'"') {
            return Err(Broken);
        }
        let from = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        self.at += 1;
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
                None => return Err(Broken),
            }
        }
        self.at += 1;
        self.text.get(from..self.at).map(|raw| (raw, escaped)).ok_or(Broken)
    }

    /// Enters an array or object.
    pub(crate) fn enter(&mut self) -> Result<(), Broken> {
        match self.byte() {
            Some(b'[' | b'{') => {
                self.at += 1;
                Ok(())
            }
            Some(_) | None => Err(Broken),
        }
    }

    /// Goes to the next item, `index` of which were before it, or behind the end.
    pub(crate) fn next(&mut self, index: usize) -> Result<Next, Broken> {
        match self.byte() {
            Some(b']' | b'}') => {
                self.at += 1;
                Ok(Next::End)
            }
            Some(b',') if index > 0 => {
                self.at += 1;
                Ok(Next::Item)
            }
            Some(_) if index == 0 => Ok(Next::Item),
            Some(_) | None => Err(Broken),
        }
    }

    /// Passes the name of a field and its colon.
    pub(crate) fn name(&mut self) -> Result<Cow<'t, str>, Broken> {
        let name = self.string()?;
        if self.byte() != Some(b':') {
            return Err(Broken);
        }
        self.at += 1;
        Ok(name)
    }

    /// Passes any value, however deep.
    pub(crate) fn skip(&mut self) -> Result<(), Broken> {
        let mut open = 0_usize;
        loop {
            match self.byte().ok_or(Broken)? {
                b'[' | b'{' => {
                    open += 1;
                    self.at += 1;
                }
                b']' | b'}' => {
                    open = open.checked_sub(1).ok_or(Broken)?;
                    self.at += 1;
                }
                b',' | b':' if open > 0 => self.at += 1,
                b'"' => {
                    self.raw_string()?;
                }
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                b'-' | b'0'..=b'9' => {
                    self.number()?;
                }
                _ => return Err(Broken),
            }
            if open == 0 {
                return Ok(());
            }
        }
    }

    /// The value at the cursor for people: bounded, and the cursor stays.
    pub(crate) fn found(&self) -> String {
        let mut ahead = self.clone();
        match ahead.kind() {
            Ok(Kind::Array) => "an array".to_owned(),
            Ok(Kind::Object) => "an object".to_owned(),
            Ok(Kind::Null) => "null".to_owned(),
            Ok(Kind::Bool | Kind::Number | Kind::String) => {
                let from = ahead.at;
                if ahead.skip().is_err() {
                    return "no JSON".to_owned();
                }
                shown(&self.text[from..ahead.at])
            }
            Err(Broken) => "no JSON".to_owned(),
        }
    }
}

/// At most [`SHOWN_BYTES_MAX`] of a text from outside.
pub(crate) fn shown(text: &str) -> String {
    if text.len() <= SHOWN_BYTES_MAX {
        return text.to_owned();
    }
    let mut end = SHOWN_BYTES_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}… ({} bytes)", &text[..end], text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_passed_whole() {
        for text in [
            "null",
            " [1, 2.5e3 ,{\"a\" : [\"]\\\"\" , true]} ] ",
            "\"a\\\\\"",
            "{}",
            "-1",
            "[[[[]]]]",
        ] {
            let mut reader = Reader::new(text);
            assert_eq!(reader.skip(), Ok(()), "{text}");
            assert_eq!(reader.byte(), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_broken_and_no_panic() {
        for text in ["", "[", "]", "\"", "\"\\", "nul", "{\"a\"", "x", "[1", "ä", "\"\\ä"] {
            let mut reader = Reader::new(text);
            assert_eq!(reader.skip(), Err(Broken), "{text}");
            let _shown = Reader::new(text).found();
            for read in [Reader::string, Reader::name] {
                assert_eq!(read(&mut Reader::new(text)).err(), Some(Broken), "{text}");
            }
        }
    }

    #[test]
    fn strings_are_unescaped_and_must_be_unicode() {
        assert_eq!(Reader::new(r#""a\n\u00e4\ud83d\ude00""#).string().unwrap(), "a\nä😀");
        assert_eq!(Reader::new(r#""\ud800""#).string(), Err(Broken));
    }

    #[test]
    fn a_found_value_is_bounded() {
        let long = format!("\"{}\"", "ä".repeat(1000));
        assert!(Reader::new(&long).found().len() < 80);
        assert_eq!(Reader::new(" {\"a\":1}").found(), "an object");
        assert_eq!(Reader::new("1.5").found(), "1.5");
    }
}
