//! Debug information of a component, which names the source lines of a trap.
//!
//! It comes from the guest and is read while a trap is reported, on the thread of the
//! attempt: more of it than [`DEBUG_BYTES_MAX`] is not used.

use std::borrow::Cow;
use std::ops::Range;

/// All of a component's debug sections together.
const DEBUG_BYTES_MAX: usize = 4 << 20;

const HEADER_BYTES: usize = 8;
const CUSTOM: u8 = 0;
/// In a component: a core module, and a component.
const NESTED: [u8; 2] = [1, 4];
const DEBUG: &[u8] = b".debug_";

/// The component itself, or the same with the names of its debug sections changed so that
/// nothing knows them any more: no offset moves.
pub(super) fn bounded(component: &[u8]) -> Cow<'_, [u8]> {
    let names = debug_sections(component);
    if names.iter().map(|(_, bytes)| bytes).sum::<usize>() <= DEBUG_BYTES_MAX {
        return Cow::Borrowed(component);
    }
    tracing::debug!("the component's debug information is not used: there is too much of it");
    let mut changed = component.to_vec();
    for (name_at, _) in names {
        changed[name_at] = b'-';
    }
    Cow::Owned(changed)
}

/// Where each name begins, and the section's length. What is not well-formed ends the
/// search there: the compiler refuses it anyway.
fn debug_sections(component: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    // A core module has sections of its own with the same numbers, and nests nothing.
    let mut todo = vec![(HEADER_BYTES..component.len(), true)];
    while let Some((mut rest, is_component)) = todo.pop() {
        while let Some((id, payload)) = section(component, &mut rest) {
            if id == CUSTOM {
                let mut inside = payload.clone();
                let Some(len) = number(component, &mut inside) else { continue };
                let name = component.get(inside.start..inside.start.saturating_add(len));
                if len <= inside.len() && name.is_some_and(|name| name.starts_with(DEBUG)) {
                    found.push((inside.start, payload.len()));
                }
            } else if is_component && NESTED.contains(&id) && payload.len() >= HEADER_BYTES {
                todo.push((payload.start + HEADER_BYTES..payload.end, id == NESTED[1]));
            }
        }
    }
    found
}

fn section(bytes: &[u8], rest: &mut Range<usize>) -> Option<(u8, Range<usize>)> {
    let id = *bytes.get(rest.clone())?.first()?;
    rest.start += 1;
    let len = number(bytes, rest)?;
    let payload = rest.start..rest.start.checked_add(len)?;
    if payload.end > rest.end {
        return None;
    }
    rest.start = payload.end;
    Some((id, payload))
}

/// LEB128 of at most 32 bits.
fn number(bytes: &[u8], rest: &mut Range<usize>) -> Option<usize> {
    let mut value = 0_u64;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(rest.clone())?.first()?;
        rest.start += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(bytes: usize) -> Vec<u8> {
        let text = format!(
            "(component (component (core module (func) (@custom \".debug_info\" \"{}\"))))",
            "x".repeat(bytes)
        );
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn debug_sections_are_found_however_deep() {
        let small = nested(10);
        assert!(matches!(bounded(&small), Cow::Borrowed(_)));
        let [(at, len)] = debug_sections(&small)[..] else { panic!("one section") };
        assert_eq!((&small[at..at + 11], len), (&b".debug_info"[..], 22));
        let large = nested(DEBUG_BYTES_MAX);
        let changed = bounded(&large);
        assert!(debug_sections(&changed).is_empty());
        assert_eq!(changed.len(), large.len());
    }

    #[test]
    fn what_is_cut_or_lies_is_no_panic() {
        let small = nested(10);
        for end in 0..small.len() {
            debug_sections(&small[..end]);
            let mut lies = small.clone();
            lies[end] = 0xff;
            debug_sections(&lies);
        }
    }
}
