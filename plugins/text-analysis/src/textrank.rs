//! Extractive summaries by TextRank: Mihalcea and Tarau, *TextRank: Bringing Order into
//! Texts* (2004).
//!
//! Sentences are the nodes of a graph; an edge weighs the words that two sentences share over
//! the logarithms of their lengths; a weighted PageRank finds the sentences that the others
//! agree with. The summary gives them in the document's order.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    round,
    sentences::Sentence,
    words::{self, stop},
};

/// The graph has an edge for every pair, so the number of sentences in it is bounded: of a
/// longer document every n-th is taken.
pub const GRAPH_SENTENCES_MAX: usize = 400;
const DAMPING: f64 = 0.85;
/// Scores that change by less have settled, as in the paper.
const SETTLED: f64 = 0.0001;
const ROUNDS_MAX: usize = 100;
/// Of two sentences that share more of their words only one is given.
const OVERLAP_MAX: f64 = 0.5;

/// A document in a few of its own sentences.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The document's name.
    pub name: String,
    /// In the document's order.
    pub sentences: Vec<SummarySentence>,
    /// How many sentences were compared.
    pub compared: usize,
    /// How many the document has; more than were compared if it is long.
    pub of: usize,
}

/// A sentence of a summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SummarySentence {
    /// As in the document.
    pub text: String,
    /// Which sentence of the document it is; the first is 0.
    pub position: usize,
    /// Its TextRank score.
    pub score: f64,
}

/// The `keep` sentences that stand for the document best.
#[must_use]
pub fn summarise(name: &str, sentences: &[Sentence], keep: usize) -> Summary {
    let every = sentences.len().div_ceil(GRAPH_SENTENCES_MAX).max(1);
    let taken: Vec<(usize, &Sentence)> = sentences.iter().enumerate().step_by(every).collect();
    let nodes: Vec<Vec<u32>> = content(taken.iter().map(|(_, sentence)| sentence.text.as_str()));
    let scores = rank(&similarities(&nodes));
    let mut order: Vec<usize> = (0..taken.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));

    let mut chosen: Vec<usize> = Vec::new();
    // The second round takes what the first was too strict for, where too little was left.
    for fits in [reads_well, is_sentence] {
        for &at in &order {
            if chosen.len() < keep
                && !chosen.contains(&at)
                && fits(taken[at].1)
                && is_new(at, &chosen, &nodes)
            {
                chosen.push(at);
            }
        }
        if !chosen.is_empty() {
            break;
        }
    }
    chosen.sort_unstable();
    let given = chosen.into_iter().map(|at| SummarySentence {
        text: taken[at].1.text.clone(),
        position: taken[at].0,
        score: scores[at],
    });
    Summary {
        name: name.to_owned(),
        sentences: given.collect(),
        compared: taken.len(),
        of: sentences.len(),
    }
}

/// A whole sentence, neither shouted nor a title nor an aside, of a length that one takes in.
fn reads_well(sentence: &Sentence) -> bool {
    sentence.is_complete
        && !sentence.is_caps
        && !sentence.is_title
        && !sentence.text.starts_with('(')
        && !sentence.text.contains("http")
        && !is_technical(&sentence.text)
        && (6..=45).contains(&words::count(&sentence.text))
}

/// Full of code: more than one character in forty is one that prose has no use for.
fn is_technical(text: &str) -> bool {
    let marks = text.chars().filter(|c| "=_{}<>[]#\\|/@$&+~^".contains(*c)).count();
    marks * 40 > text.chars().count()
}

fn is_sentence(sentence: &Sentence) -> bool {
    words::count(&sentence.text) <= 80
}

/// Whether a sentence says something that the chosen ones do not.
fn is_new(at: usize, chosen: &[usize], nodes: &[Vec<u32>]) -> bool {
    chosen.iter().all(|&other| {
        let shorter = nodes[at].len().min(nodes[other].len());
        shared(&nodes[at], &nodes[other]) as f64 <= OVERLAP_MAX * shorter as f64
    })
}

/// The content words of each sentence as sorted numbers, each once.
fn content<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Vec<u32>> {
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let mut nodes = Vec::new();
    for text in texts {
        let mut node = Vec::new();
        for word in words::words(text) {
            if word.has_letter() && !stop::is_stop_word(&word.folded()) {
                let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                node.push(*numbers.entry(word.stem()).or_insert(next));
            }
        }
        node.sort_unstable();
        node.dedup();
        nodes.push(node);
    }
    nodes
}

fn shared(a: &[u32], b: &[u32]) -> usize {
    let (mut i, mut j, mut common) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        common += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    common
}

/// For each sentence the others that it shares words with, and how much.
fn similarities(nodes: &[Vec<u32>]) -> Vec<Vec<(usize, f64)>> {
    let mut edges = vec![Vec::new(); nodes.len()];
    for a in 0..nodes.len() {
        for b in a + 1..nodes.len() {
            let common = shared(&nodes[a], &nodes[b]);
            let length = (nodes[a].len() as f64).ln() + (nodes[b].len() as f64).ln();
            // Two sentences of one word have no length to weigh by.
            if common > 0 && length > 0.0 {
                let weight = common as f64 / length;
                edges[a].push((b, weight));
                edges[b].push((a, weight));
            }
        }
    }
    edges
}

/// `WS(i) = (1 − d) + d · Σ_j w_ji / Σ_k w_jk · WS(j)`, from 1, until it has settled.
fn rank(edges: &[Vec<(usize, f64)>]) -> Vec<f64> {
    let out: Vec<f64> =
        edges.iter().map(|edges| edges.iter().map(|(_, weight)| weight).sum()).collect();
    let mut scores = vec![1.0; edges.len()];
    for _ in 0..ROUNDS_MAX {
        let next: Vec<f64> = edges
            .iter()
            .map(|edges| {
                let votes: f64 =
                    edges.iter().map(|&(from, weight)| weight / out[from] * scores[from]).sum();
                (1.0 - DAMPING) + DAMPING * votes
            })
            .collect();
        let change =
            next.iter().zip(&scores).map(|(a, b): (&f64, &f64)| (a - b).abs()).fold(0.0, f64::max);
        scores = next;
        if change < SETTLED {
            break;
        }
    }
    scores.into_iter().map(|score| round(score, 4)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{layout::Layout, sentences};

    fn of(text: &str, keep: usize) -> Summary {
        summarise("a", &sentences::of(&Layout::of(text)), keep)
    }

    #[test]
    fn a_graph_of_four_by_hand() {
        // 0 shares two of two words with 1 and one of two with 2; 3 shares nothing.
        let nodes = vec![vec![0, 1], vec![0, 1], vec![1, 2], vec![7, 8]];
        let ln4 = 2.0 * 2.0_f64.ln();
        let edges = similarities(&nodes);
        assert_eq!(edges[0], [(1, 2.0 / ln4), (2, 1.0 / ln4)]);
        assert_eq!(edges[1], [(0, 2.0 / ln4), (2, 1.0 / ln4)]);
        assert_eq!(edges[2], [(0, 1.0 / ln4), (1, 1.0 / ln4)]);
        assert_eq!(edges[3], []);
        // By symmetry s0 = s1 = s: s = 0.15 + 0.85 (2/3 s + 1/2 t), t = 0.15 + 0.85 (2/3 s).
        // t = 0.15 + 0.566667 s, so s (1 − 0.566667 − 0.240833) = 0.21375: s = 1.11039, t = 0.77922.
        let scores = rank(&edges);
        for (score, expected) in scores.iter().zip([1.1104, 1.1104, 0.7792, 0.15]) {
            assert!((score - expected).abs() < 0.0005, "{scores:?}");
        }
    }

    #[test]
    fn the_sentence_that_the_others_agree_with_wins() {
        let summary = of(
            "The harbour was closed because of the heavy storm. \
             Nobody had expected any visitors on that grey morning. \
             The heavy storm damaged the harbour and several fishing boats. \
             Fishing boats were repaired in the harbour after the storm.",
            1,
        );
        assert_eq!(summary.sentences.len(), 1);
        assert_eq!(summary.sentences[0].position, 2);
        assert_eq!((summary.compared, summary.of), (4, 4));
    }

    #[test]
    fn sentences_come_in_the_documents_order_and_say_different_things() {
        let text = "The garden has red roses and tall trees in it. \
                    The garden has red roses and tall trees in it too. \
                    Tall trees give shade to the red roses in summer. \
                    In summer the shade is what visitors come for.";
        let positions: Vec<usize> = of(text, 3).sentences.iter().map(|s| s.position).collect();
        assert!(positions.is_sorted());
        assert!(!(positions.contains(&0) && positions.contains(&1)), "{positions:?}");
    }

    #[test]
    fn shouting_and_fragments_are_given_only_where_there_is_nothing_else() {
        let text = "THE SOFTWARE IS PROVIDED AS IT IS WITHOUT ANY WARRANTY OF ANY KIND.\n\n\
                    The software is provided to you for any purpose at all.\n";
        let given = of(text, 5);
        assert_eq!(given.sentences.len(), 1);
        assert_eq!(given.sentences[0].position, 1);
        assert_eq!(of("only a few words here, in fact no sentence at all", 5).sentences.len(), 1);
        assert_eq!(of("", 5).sentences, []);
    }

    #[test]
    fn code_is_not_quoted() {
        let text = "The step runs as RUST=/usr/bin/rustc cargo build --target=wasm32 with the flags -L/usr/lib/x. \
                    The step that runs the build with cargo needs the right flags.";
        let summary = of(text, 2);
        assert_eq!(summary.sentences.iter().map(|s| s.position).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_long_document_is_sampled_and_says_so() {
        let text: String =
            (0..1_000).map(|n| format!("The ship number {n} left the harbour today. ")).collect();
        let summary = of(&text, 3);
        assert_eq!((summary.compared, summary.of), (334, 1_000));
    }
}
