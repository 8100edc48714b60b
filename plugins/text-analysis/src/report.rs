//! The report on a folder: what its documents say, one by one and taken together.
//!
//! This file gathers the figures; `report/markdown.rs` writes them for people.

use std::{cmp::Reverse, collections::BTreeMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    document::Skipped,
    entities::Entity,
    rake::Phrase,
    readability::Readability,
    round,
    sentiment::Sentiment,
    similarity::{self, Term},
    textrank::Summary,
    topics::Topics,
};

mod markdown;
mod table;

/// Phrases that several documents share, and pairs of similar documents: so many are given.
const SHARED_MAX: usize = 12;
const PAIRS_MAX: usize = 8;
/// Documents less alike are not worth naming as a pair.
const PAIR_LIKENESS_MIN: f64 = 0.2;

/// The analyses of a folder, document by document, in the same order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Analyses {
    /// The folder's path; the report is called after its last part.
    pub folder: String,
    /// How each document feels.
    pub sentiments: Vec<Sentiment>,
    /// What each is about.
    pub topics: Vec<Topics>,
    /// What each says in short.
    pub summaries: Vec<Summary>,
    /// Files that were left out.
    pub skipped: Vec<Skipped>,
}

/// The report, for people and for programs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The whole report as Markdown.
    pub markdown: String,
    /// The folder's documents taken together.
    pub totals: Totals,
    /// One by one, in the order of their names.
    pub documents: Vec<DocumentReport>,
    /// Key phrases that several documents have.
    pub shared_phrases: Vec<SharedPhrase>,
    /// Pairs of documents that are alike, most alike first.
    pub similar: Vec<Pair>,
    /// Documents that are unlike the others, least like them first.
    pub outliers: Vec<Outlier>,
    /// Files that were left out.
    pub skipped: Vec<Skipped>,
}

/// Sums and means over all documents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// How many documents.
    pub documents: usize,
    /// Words of their prose.
    pub words: usize,
    /// Sentences of it.
    pub sentences: usize,
    /// Minutes to read all of it.
    pub minutes: usize,
    /// Mean of the documents' compound scores.
    pub sentiment: f64,
}

/// All that is known of one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentReport {
    /// Its path below the folder.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Size and reading ease.
    pub readability: Readability,
    /// How it feels.
    pub sentiment: Sentiment,
    /// What it says in short.
    pub summary: Summary,
    /// Its key phrases, best first.
    pub key_phrases: Vec<Phrase>,
    /// What it names.
    pub entities: Vec<Entity>,
}

/// A key phrase of several documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SharedPhrase {
    /// As it is written most often.
    pub text: String,
    /// Their names.
    pub documents: Vec<String>,
    /// How often it stands in all of them.
    pub count: usize,
}

/// Two documents and how alike they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pair {
    /// The first by name.
    pub a: String,
    /// The second by name.
    pub b: String,
    /// Cosine of their TF-IDF vectors, from 0 to 1.
    pub likeness: f64,
}

/// A document that is unlike the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outlier {
    /// Its name.
    pub name: String,
    /// Its mean likeness to the others.
    pub likeness: f64,
}

/// Analyses that do not belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The place in the lists.
    pub index: usize,
    /// What is wrong there.
    pub message: String,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "analysis {}: {}", self.index, self.message)
    }
}

impl std::error::Error for Mismatch {}

/// Writes the report.
///
/// # Errors
/// If the lists are of different lengths, or name different documents at one place.
pub fn report(analyses: Analyses) -> Result<Report, Mismatch> {
    let terms: Vec<&[Term]> =
        analyses.topics.iter().map(|topics| topics.terms.as_slice()).collect();
    let likeness = similarity::likeness(&terms);
    let folder = analyses.folder.clone();
    let skipped = analyses.skipped.clone();
    let documents = zip(analyses)?;
    let mut report = Report {
        markdown: String::new(),
        totals: totals(&documents),
        shared_phrases: shared_phrases(&documents),
        similar: pairs(&documents, &likeness),
        outliers: similarity::outliers(&likeness)
            .into_iter()
            .map(|(at, likeness)| Outlier { name: documents[at].name.clone(), likeness })
            .collect(),
        documents,
        skipped,
    };
    report.markdown = markdown::write(&folder, &report);
    Ok(report)
}

fn zip(analyses: Analyses) -> Result<Vec<DocumentReport>, Mismatch> {
    let Analyses { sentiments, topics, summaries, .. } = analyses;
    if sentiments.len() != topics.len() || summaries.len() != topics.len() {
        let index = sentiments.len().min(topics.len()).min(summaries.len());
        return Err(Mismatch { index, message: "one of the lists ends here".to_owned() });
    }
    let all = topics.into_iter().zip(sentiments).zip(summaries).enumerate();
    all.map(|(index, ((topics, sentiment), summary))| {
        for name in [&sentiment.name, &summary.name] {
            if *name != topics.name {
                let message = format!("is of `{}` and of `{name}`", topics.name);
                return Err(Mismatch { index, message });
            }
        }
        Ok(DocumentReport {
            name: topics.name,
            title: topics.title,
            readability: topics.readability,
            sentiment,
            summary,
            key_phrases: topics.key_phrases,
            entities: topics.entities,
        })
    })
    .collect()
}

fn totals(documents: &[DocumentReport]) -> Totals {
    let sum =
        |of: fn(&DocumentReport) -> usize| documents.iter().map(of).fold(0, usize::saturating_add);
    let sentiment: f64 = documents.iter().map(|document| document.sentiment.compound).sum();
    Totals {
        documents: documents.len(),
        words: sum(|document| document.readability.words),
        sentences: sum(|document| document.readability.sentences),
        minutes: sum(|document| document.readability.minutes),
        sentiment: round(sentiment / documents.len().max(1) as f64, 4),
    }
}

/// Phrases by how many documents have them, then by how often; words that stand alone say less
/// and come last.
fn shared_phrases(documents: &[DocumentReport]) -> Vec<SharedPhrase> {
    let mut by_key: BTreeMap<&str, Vec<(&str, &Phrase)>> = BTreeMap::new();
    for document in documents {
        for phrase in &document.key_phrases {
            by_key.entry(&phrase.key).or_default().push((&document.name, phrase));
        }
    }
    // A word that stands alone is shared by chance unless it is repeated.
    by_key.retain(|key, uses| {
        let repeated = uses.iter().all(|(_, phrase)| phrase.count > 1);
        uses.len() > 1 && (key.contains(' ') || repeated)
    });
    let mut shared: Vec<(bool, SharedPhrase)> = by_key
        .into_iter()
        .map(|(key, uses)| {
            let documents = uses.iter().map(|(name, _)| (*name).to_owned()).collect();
            let count = uses.iter().map(|(_, phrase)| phrase.count).fold(0, usize::saturating_add);
            (!key.contains(' '), SharedPhrase { text: usual(&uses), documents, count })
        })
        .collect();
    shared.sort_by_key(|(alone, phrase)| {
        (*alone, Reverse(phrase.documents.len()), Reverse(phrase.count))
    });
    shared.truncate(SHARED_MAX);
    shared.into_iter().map(|(_, phrase)| phrase).collect()
}

/// As the phrase is written most often over all documents; of equals the first in order.
fn usual(uses: &[(&str, &Phrase)]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, phrase) in uses {
        let count = counts.entry(&phrase.text).or_default();
        *count = count.saturating_add(phrase.count);
    }
    let best = counts.into_iter().min_by_key(|(_, count)| Reverse(*count));
    best.map_or_else(String::new, |(text, _)| text.to_owned())
}

fn pairs(documents: &[DocumentReport], likeness: &[Vec<f64>]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (a, row) in likeness.iter().enumerate() {
        for (b, &likeness) in row.iter().enumerate().skip(a + 1) {
            if likeness >= PAIR_LIKENESS_MIN {
                pairs.push(Pair {
                    a: documents[a].name.clone(),
                    b: documents[b].name.clone(),
                    likeness,
                });
            }
        }
    }
    pairs.sort_by(|x, y| y.likeness.total_cmp(&x.likeness));
    pairs.truncate(PAIRS_MAX);
    pairs
}
