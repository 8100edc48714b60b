//! What no writer of ours makes: headers of other kinds, more than is listed, bombs.

use std::io::Cursor;

use super::*;
use crate::path::BundlePath;

struct Kept(Vec<u8>);

impl Take for Kept {
    type Error = PayloadError;

    fn begin(&mut self, _: &TreeEntry) -> Result<(), PayloadError> {
        Ok(())
    }

    fn part(&mut self, bytes: &[u8]) -> Result<(), PayloadError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), PayloadError> {
        Ok(())
    }
}

fn tree() -> Tree {
    Tree::new([TreeEntry::of(BundlePath::new("a").unwrap(), b"content")]).unwrap()
}

/// The tar that belongs to [`tree`], with something done to it.
fn tar(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let tree = tree();
    let mut tar = tar_header(&tree.entries()[0]).unwrap().as_bytes().to_vec();
    tar.extend_from_slice(b"content");
    tar.extend_from_slice(padding(&tree.entries()[0]));
    tar.extend_from_slice(&END);
    change(&mut tar);
    tar
}

fn compressed(tar: &[u8]) -> Vec<u8> {
    zstd::encode_all(tar, 3).unwrap()
}

fn read_back(payload: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let mut kept = Kept(Vec::new());
    read(&tree(), payload, &mut kept).map(|()| kept.0)
}

fn with_header(change: impl FnOnce(&mut tar::Header)) -> Vec<u8> {
    let tar = tar(|tar| {
        let mut header = tar::Header::new_old();
        header.as_mut_bytes().copy_from_slice(&tar[..BLOCK]);
        change(&mut header);
        header.set_cksum();
        tar[..BLOCK].copy_from_slice(header.as_bytes());
    });
    compressed(&tar)
}

#[test]
fn files_come_back() {
    assert_eq!(read_back(&compressed(&tar(|_| {}))).unwrap(), b"content");
    let open = |_: &TreeEntry| Ok(Box::new(&b"content"[..]) as Box<dyn Read>);
    let written = write(&tree(), open, Vec::new()).unwrap();
    assert_eq!(read_back(&written).unwrap(), b"content");
}

#[test]
fn links_devices_and_whatever_else_is_no_file_are_refused() {
    let kinds = [
        (EntryType::Link, "a hard link"),
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::Directory, "a folder"),
        (EntryType::GNULongName, "what is no ordinary file"),
        (EntryType::XHeader, "what is no ordinary file"),
        (EntryType::GNUSparse, "what is no ordinary file"),
    ];
    for (kind, words) in kinds {
        let refused = read_back(&with_header(|header| header.set_entry_type(kind)));
        let Err(PayloadError::Kind { found, .. }) = refused else {
            panic!("{kind:?}: {refused:?}")
        };
        assert_eq!(found, words);
    }
}

#[test]
fn a_header_that_says_another_thing_than_the_list_is_refused() {
    let changes: [fn(&mut tar::Header); 9] = [
        |header| header.as_mut_bytes()[..5].copy_from_slice(b"../a\0"),
        |header| header.as_mut_bytes()[..3].copy_from_slice(b"/a\0"),
        |header| header.set_size(6),
        |header| header.set_size(1 << 40),
        |header| header.set_mode(0o4755),
        |header| header.set_uid(1),
        |header| header.set_mtime(1),
        |header| header.set_link_name_literal("/etc/passwd").unwrap(),
        |header| header.as_mut_bytes()[511] = 1,
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let refused = read_back(&with_header(change));
        assert!(matches!(refused, Err(PayloadError::Header { .. })), "{at}: {refused:?}");
    }
}

#[test]
fn another_content_is_refused() {
    let changes: [fn(&mut Vec<u8>); 2] = [|tar| tar[BLOCK] = b'C', |tar| tar[BLOCK + 7] = 1];
    for change in changes {
        let refused = read_back(&compressed(&tar(change)));
        assert!(matches!(refused, Err(PayloadError::Content { .. })), "{refused:?}");
    }
}

#[test]
fn more_than_is_listed_is_refused() {
    let more = |payload: &[u8]| {
        let refused = read_back(payload);
        assert!(matches!(refused, Err(PayloadError::More)), "{refused:?}");
    };
    more(&compressed(&tar(|tar| tar.push(0))));
    more(&compressed(&tar(|tar| *tar.last_mut().unwrap() = 1)));
    let whole = compressed(&tar(|_| {}));
    more(&[&whole[..], b"x"].concat());
    more(&[&whole[..], &whole[..]].concat());
    // An empty frame that a decompressor would skip.
    more(&[&whole[..], &[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]].concat());
}

/// A gigabyte of zeros in some 30 KB: whatever is behind the end is never unpacked.
#[test]
fn a_bomb_is_read_as_far_as_the_list_goes() {
    let bomb = tar(|_| {});
    let bomb = Cursor::new(bomb).chain(io::repeat(0).take(1 << 30));
    let bomb = zstd::encode_all(bomb, 3).unwrap();
    let mut kept = Kept(Vec::new());
    let refused = read(&tree(), &bomb[..], &mut kept);
    assert!(matches!(refused, Err(PayloadError::More)), "{refused:?}");
    assert_eq!(kept.0, b"content");
}

/// What it would need is asked for in the frame's header.
#[test]
fn a_frame_that_wants_much_memory_is_refused() {
    let mut encoder = Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(WINDOW_LOG_MAX + 1).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(&tar(|_| {})).unwrap();
    let refused = read_back(&encoder.finish().unwrap());
    assert!(matches!(refused, Err(PayloadError::Compressed(_))), "{refused:?}");
}

#[test]
fn a_content_that_changes_while_it_is_packed_is_refused() {
    for content in [&b"Content"[..], b"conten", b"contents", b"", &[b'c'; 1 << 20]] {
        let open = |_: &TreeEntry| Ok(Box::new(content) as Box<dyn Read>);
        let refused = write(&tree(), open, Vec::new());
        assert!(matches!(refused, Err(PayloadError::Content { .. })), "{refused:?}");
    }
}

/// `docs/bundle-format.md` names these bytes.
#[test]
fn a_header_is_what_the_format_says() {
    let header = tar_header(&tree().entries()[0]).unwrap();
    let bytes = header.as_bytes();
    let field = |from: usize, to: usize| String::from_utf8_lossy(&bytes[from..to]).into_owned();
    assert_eq!(field(0, 2), "a\0");
    assert_eq!(field(100, 108), "0000644\0");
    assert_eq!(field(108, 116), "0000000\0");
    assert_eq!(field(116, 124), "0000000\0");
    assert_eq!(field(124, 136), "00000000007\0");
    assert_eq!(field(136, 148), "00000000000\0");
    let sum: u32 = bytes
        .iter()
        .zip(0..)
        .map(|(&byte, at)| u32::from(if (148..156).contains(&at) { b' ' } else { byte }))
        .sum();
    assert_eq!(field(148, 156), format!("{sum:07o}\0"));
    assert_eq!(field(156, 157), "0");
    assert_eq!(field(257, 265), "ustar\x0000");
    assert_eq!(field(329, 345), "0000000\x000000000\0");
    let zero = [2..100, 157..257, 265..329, 345..512];
    assert!(zero.into_iter().all(|range| bytes[range].iter().all(|&byte| byte == 0)));
}
