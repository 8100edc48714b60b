//! How alike documents are: the cosine of their TF-IDF vectors, after Salton and Buckley,
//! *Term-weighting approaches in automatic text retrieval* (1988), with `1 + ln(count)` for a
//! term in a document and `ln((1 + n) / (1 + n_t)) + 1` for a term among `n` documents.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    round,
    sentences::Sentence,
    words::{self, stop},
};

/// The rare words of a long document change its direction little.
pub const TERMS_MAX: usize = 500;
/// Below this many documents none can be called unlike the others.
const OUTLIER_DOCUMENTS_MIN: usize = 4;
/// How many standard deviations below the mean likeness makes an outlier.
const OUTLIER_DEVIATIONS: f64 = 1.5;

/// A word of a document and how often it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Term {
    /// The word's stem.
    pub stem: String,
    /// How often, singular and plural taken together.
    pub count: usize,
}

/// The content words of a document, the most frequent first.
#[must_use]
pub fn terms(sentences: &[Sentence]) -> Vec<Term> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for sentence in sentences {
        for word in words::words(&sentence.text) {
            if word.has_letter() && !stop::is_stop_word(&word.folded()) {
                *counts.entry(word.stem()).or_default() += 1;
            }
        }
    }
    let mut terms: Vec<Term> =
        counts.into_iter().map(|(stem, count)| Term { stem, count }).collect();
    terms.sort_by_key(|term| std::cmp::Reverse(term.count));
    terms.truncate(TERMS_MAX);
    terms
}

/// For each document its likeness to every other, from 0 to 1.
#[must_use]
pub fn likeness(documents: &[&[Term]]) -> Vec<Vec<f64>> {
    let mut in_documents: BTreeMap<&str, usize> = BTreeMap::new();
    for term in documents.iter().copied().flatten() {
        *in_documents.entry(&term.stem).or_default() += 1;
    }
    let numbers: BTreeMap<&str, usize> =
        in_documents.keys().enumerate().map(|(number, stem)| (*stem, number)).collect();
    let all = documents.len() as f64;
    let weigh = |term: &Term| {
        let documents = in_documents.get(term.stem.as_str()).copied().unwrap_or(1) as f64;
        (1.0 + (term.count.max(1) as f64).ln()) * (((1.0 + all) / (1.0 + documents)).ln() + 1.0)
    };
    let vectors: Vec<Vector> = documents
        .iter()
        .map(|terms| {
            let of = |term: &Term| Some((*numbers.get(term.stem.as_str())?, weigh(term)));
            Vector::of(terms.iter().filter_map(of).collect())
        })
        .collect();
    vectors.iter().map(|a| vectors.iter().map(|b| a.cosine(b)).collect()).collect()
}

/// Weights by the terms' numbers, in their order, and the length of the whole.
struct Vector {
    weights: Vec<(usize, f64)>,
    length: f64,
}

impl Vector {
    fn of(mut weights: Vec<(usize, f64)>) -> Self {
        weights.sort_by_key(|(number, _)| *number);
        let length = weights.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        Self { weights, length }
    }

    fn cosine(&self, other: &Self) -> f64 {
        let (mut i, mut j, mut product) = (0, 0, 0.0);
        while let (Some((a, x)), Some((b, y))) = (self.weights.get(i), other.weights.get(j)) {
            if a == b {
                product += x * y;
            }
            i += usize::from(a <= b);
            j += usize::from(b <= a);
        }
        let lengths = self.length * other.length;
        if lengths > 0.0 { round(product / lengths, 4) } else { 0.0 }
    }
}

/// The documents that are unlike the others, with their mean likeness to them, least first.
#[must_use]
pub fn outliers(likeness: &[Vec<f64>]) -> Vec<(usize, f64)> {
    let count = likeness.len();
    if count < OUTLIER_DOCUMENTS_MIN {
        return Vec::new();
    }
    let means: Vec<f64> = likeness
        .iter()
        .enumerate()
        .map(|(at, row)| {
            let others: f64 =
                row.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, x)| x).sum();
            round(others / (count - 1) as f64, 4)
        })
        .collect();
    let mean = means.iter().sum::<f64>() / count as f64;
    let deviation = (means.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64).sqrt();
    let limit = mean - OUTLIER_DEVIATIONS * deviation;
    let mut out: Vec<(usize, f64)> =
        means.into_iter().enumerate().filter(|(_, x)| *x < limit).collect();
    out.sort_by(|a, b| a.1.total_cmp(&b.1));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(terms: &[(&str, usize)]) -> Vec<Term> {
        terms.iter().map(|&(stem, count)| Term { stem: stem.to_owned(), count }).collect()
    }

    #[test]
    fn cosines_by_hand() {
        let (a, b, c) =
            (document(&[("x", 1), ("y", 1)]), document(&[("x", 1)]), document(&[("z", 3)]));
        let found = likeness(&[&a, &b, &c]);
        // x is in two of three documents: ln(4/3) + 1 = 1.28768; y in one: ln 2 + 1 = 1.69315.
        // cos(a, b) = 1.28768 / √(1.28768² + 1.69315²) = 0.6053.
        assert_eq!(found[0], [1.0, 0.6053, 0.0]);
        assert_eq!(found[1], [0.6053, 1.0, 0.0]);
        assert_eq!(found[2], [0.0, 0.0, 1.0]);
    }

    #[test]
    fn nothing_is_like_nothing() {
        assert_eq!(likeness(&[&[], &[]]), [[0.0, 0.0], [0.0, 0.0]]);
        assert_eq!(likeness(&[]), Vec::<Vec<f64>>::new());
    }

    #[test]
    fn the_odd_one_out_is_found() {
        let same = document(&[("x", 1), ("y", 2)]);
        let odd = document(&[("z", 1)]);
        let found = outliers(&likeness(&[&same, &same, &odd, &same, &same]));
        assert_eq!(found, [(2, 0.0)]);
        assert_eq!(outliers(&likeness(&[&same, &same, &odd])), []);
    }
}
