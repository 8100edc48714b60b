//! Where in a value a conversion is: `.items[3].size`.

use std::fmt;

/// A name in a path; it comes from a component.
const NAME_BYTES_MAX: usize = 64;
/// The innermost segments that are shown.
const SEGMENTS_MAX: usize = 32;

/// One step into a value, and the steps before it; lives on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Self>,
    segment: Segment<'a>,
    depth: usize,
}

#[derive(Debug, Clone, Copy)]
enum Segment<'a> {
    /// Where the path begins: an argument by its name is then a field.
    Root(&'a str),
    Field(&'a str),
    Index(usize),
    /// Any item of a list's type.
    Any,
    /// The same place in JSON: inside of an option.
    Inside,
}

impl<'a> Path<'a> {
    /// The whole value, called `name` where it is shown with nothing behind it.
    pub(crate) const fn root(name: &'a str) -> Self {
        Self { parent: None, segment: Segment::Root(name), depth: 0 }
    }

    pub(crate) const fn field(&'a self, name: &'a str) -> Self {
        self.push(Segment::Field(name))
    }

    pub(crate) const fn index(&'a self, index: usize) -> Self {
        self.push(Segment::Index(index))
    }

    pub(crate) const fn any(&'a self) -> Self {
        self.push(Segment::Any)
    }

    pub(crate) const fn inside(&'a self) -> Self {
        self.push(Segment::Inside)
    }

    const fn push(&'a self, segment: Segment<'a>) -> Self {
        Self { parent: Some(self), segment, depth: self.depth + 1 }
    }

    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut segments = Vec::new();
        let mut place = Some(self);
        while let Some(path) = place {
            segments.push(path.segment);
            place = path.parent;
        }
        segments.reverse();
        segments.retain(|segment| !matches!(segment, Segment::Inside));
        if let [Segment::Root(name)] = segments[..] {
            return f.write_str(name);
        }
        let hidden = segments.len().saturating_sub(SEGMENTS_MAX);
        if hidden > 0 {
            f.write_str("…")?;
        }
        for segment in segments.iter().skip(hidden) {
            match segment {
                Segment::Field(name) => {
                    write!(f, ".{}", crate::failure::bounded(name, NAME_BYTES_MAX))?;
                }
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Any => f.write_str("[]")?,
                Segment::Root(_) | Segment::Inside => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_javascript_and_is_bounded() {
        let root = Path::root("the input");
        assert_eq!(root.to_string(), "the input");
        let (items, inner) = (root.field("items"), Path::root(""));
        assert_eq!(items.index(3).inside().field("size").to_string(), ".items[3].size");
        assert_eq!(inner.field("a").any().to_string(), ".a[]");

        fn deep(path: &Path<'_>) -> String {
            if path.depth() == 100 { path.to_string() } else { deep(&path.field(&"n".repeat(500))) }
        }
        let deep = deep(&root);
        assert!(deep.starts_with('…') && deep.len() < 4096, "{deep}");
    }
}
