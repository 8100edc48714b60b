//! Bundles: packed and verified as files, by the library that the commands call.

use std::fs;
use std::path::Path;
use std::time::Duration;

use wfhost_bundle::{Bundle, SigningKey, on_disk};

use crate::clock;
use crate::report::Row;
use crate::stats::Times;

const PLUGINS: usize = 50;
const COMPONENT_BYTES: usize = 1 << 20;
const ROUNDS: usize = 7;

pub(crate) fn measure() -> Vec<Row> {
    pack_and_verify()
}

fn ms(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1e3)
}

/// What a person waits for: a folder becomes a signed file, and the file is checked whole.
fn pack_and_verify() -> Vec<Row> {
    let place = tempfile::tempdir().expect("a folder can be made");
    let folder = place.path().join("bundle");
    fill(&folder);
    let key = SigningKey::generate("bench").expect("there is randomness");
    let file = place.path().join("bundle.wfb");
    let (mut packs, mut verifies, mut both) =
        (Times::default(), Times::default(), Times::default());
    for _ in 0..ROUNDS {
        let started = clock::now();
        let mut bundle = wfhost_bundle::plan(&folder).expect("a bundle");
        bundle.signatures.sign(bundle.digest(), &key).expect("room for one");
        on_disk::pack_planned(&folder, &bundle, &file, on_disk::Existing::Replaced)
            .expect("the disk takes it");
        let packed = started.elapsed();
        let mut opened = on_disk::open(&file).expect("a bundle");
        let read = Bundle::read(&mut opened).expect("a whole bundle");
        assert_eq!(read.plugins.len(), PLUGINS);
        let all = started.elapsed();
        packs.add(packed);
        verifies.add(all - packed);
        both.add(all);
    }
    let bytes = fs::metadata(&file).map_or(0, |metadata| metadata.len());
    let share = 100.0 * bytes as f64 / (PLUGINS * COMPONENT_BYTES) as f64;
    let p50 = both.p50();
    vec![
        Row::new(
            format!(
                "pack, sign, sync and verify {PLUGINS} plugins of 1 MiB that compress to {share:.0} %, p50"
            ),
            ms(p50),
            "≤ 1 s",
            p50 <= Duration::from_secs(1),
        ),
        Row::info(
            "  of that pack; verify; the slowest of 7",
            format!("{}; {}; {}", ms(packs.p50()), ms(verifies.p50()), ms(both.percentile(1.0))),
        ),
    ]
}

fn fill(folder: &Path) {
    let mut listed = Vec::new();
    for number in 0..PLUGINS {
        let plugin = folder.join(format!("p{number:02}"));
        fs::create_dir_all(&plugin).expect("a folder can be made");
        let manifest = format!("name = \"p{number:02}\"\nversion = \"1.0.0\"\n");
        fs::write(plugin.join("plugin.toml"), manifest).expect("a file can be made");
        let content = component(number as u64);
        fs::write(plugin.join(format!("p{number:02}.wasm")), content).expect("a file can be made");
        listed.push(format!("\"p{number:02}\""));
    }
    let text =
        format!("name = \"bench\"\nversion = \"1.0.0\"\nplugins = [{}]\n", listed.join(", "));
    fs::write(folder.join("bundle.toml"), text).expect("a file can be made");
}

/// As machine code compresses, about: of 16 bytes some are drawn, the others are one of a few
/// patterns. Always the same for a seed.
fn component(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let patterns: Vec<[u8; 12]> = (0..200)
        .map(|_| {
            let (one, other) = (next().to_le_bytes(), next().to_le_bytes());
            let mut pattern = [0; 12];
            pattern[..8].copy_from_slice(&one);
            pattern[8..].copy_from_slice(&other[..4]);
            pattern
        })
        .collect();
    let mut content = Vec::with_capacity(COMPONENT_BYTES + 16);
    while content.len() < COMPONENT_BYTES {
        let drawn = next();
        content.extend(&drawn.to_le_bytes()[4..]);
        content.extend(patterns[(drawn % 200) as usize]);
    }
    content.truncate(COMPONENT_BYTES);
    content
}
