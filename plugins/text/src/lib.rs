//! The plugin `text`: what the documents of a folder say, as steps.
//!
//! `extract` reads the folder that it was granted; `sentiment`, `topics` and `summarise` look at
//! one document each, and none of them needs another; `report` puts their answers together. The
//! work itself, with its methods and their sources, is in the crate `text-analysis`.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use text_analysis::{
    folder::{self, Bounds, Folder},
    layout::Layout,
    report::{self as reports, Analyses, Report},
    sentences,
    sentiment::{self as sentiments, Sentiment},
    textrank::{self, Summary},
    topics::{self as subjects, Topics},
};
use wfhost_guest::{Error, Result, export, log, progress, step};

/// Leaves room below the limit on a step's output.
const TOTAL_BYTES_MAX: usize = 12 << 20;
/// A longer text is a book, and wants to be split first.
const TEXT_BYTES_MAX: usize = 4 << 20;
const DOCUMENTS_MAX: usize = 1_000;
const SUMMARY_SENTENCES_MAX: usize = 50;

/// What to read.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Extract {
    /// Where the granted folder is, inside the sandbox.
    folder_inside: String,
    /// At most so many documents, in the order of their names; up to 1000.
    max_documents: usize,
    /// Longer files are left out; up to 4 MiB.
    max_document_bytes: usize,
}

impl Default for Extract {
    fn default() -> Self {
        Self { folder_inside: "/in".to_owned(), max_documents: 500, max_document_bytes: 1 << 20 }
    }
}

/// Reads the texts of a folder, and of the folders in it: files whose content is text that
/// people read, such as plain text and Markdown. Links are not followed.
#[step]
fn extract(input: Extract) -> Result<Folder> {
    let bounds = Bounds {
        documents: input.max_documents.min(DOCUMENTS_MAX),
        document_bytes: input.max_document_bytes.min(TEXT_BYTES_MAX),
        total_bytes: TOTAL_BYTES_MAX,
    };
    let folder = folder::read(Path::new(&input.folder_inside), bounds).map_err(|error| {
        let message = format!("{}: {error}", input.folder_inside);
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => {
                let hint = "is it granted under `plugins` in the workflow?";
                Error::permanent("no-folder", format!("{message}; {hint}"))
            }
            _ => Error::retryable("unreadable", message),
        }
    })?;
    let (documents, skipped) = (folder.documents.len(), folder.skipped.len());
    log::info!(documents = documents, skipped = skipped; "read {documents} documents");
    progress::report(documents as u64, documents as u64, "read");
    Ok(folder)
}

/// One document, as `extract` gives it.
#[derive(Deserialize, JsonSchema)]
struct Text {
    /// What it is called in the answers.
    name: String,
    /// Its title; the name where it has none.
    title: Option<String>,
    /// What it says.
    text: String,
}

/// How a document feels, sentence by sentence and as a whole: VADER (Hutto and Gilbert, 2014).
#[step]
fn sentiment(document: Text) -> Result<Sentiment> {
    let layout = layout(&document.text)?;
    Ok(sentiments::score(&document.name, &sentences::of(&layout)))
}

/// What a document is about: key phrases by RAKE (Rose and others, 2010), the people,
/// organisations, terms, dates and addresses that it names, and how hard it is to read.
#[step]
fn topics(document: Text) -> Result<Topics> {
    let title = document.title.as_deref().unwrap_or(&document.name);
    Ok(subjects::of(&document.name, title, &layout(&document.text)?))
}

/// What to summarise.
#[derive(Deserialize, JsonSchema)]
struct Summarise {
    /// What the document is called in the answer.
    name: String,
    /// What it says.
    text: String,
    /// How many sentences the summary has; 3 if nothing is said, at most 50.
    sentences: Option<usize>,
}

/// A document in a few of its own sentences: TextRank (Mihalcea and Tarau, 2004).
#[step]
fn summarise(input: Summarise) -> Result<Summary> {
    let keep = input.sentences.unwrap_or(3).min(SUMMARY_SENTENCES_MAX);
    let layout = layout(&input.text)?;
    Ok(textrank::summarise(&input.name, &sentences::of(&layout), keep))
}

/// Puts the analyses of a folder's documents together, as Markdown and as figures.
#[step]
fn report(analyses: Analyses) -> Result<Report> {
    reports::report(analyses).map_err(|error| Error::invalid_input("mismatch", error.to_string()))
}

fn layout(text: &str) -> Result<Layout> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("a text of {} bytes; at most {TEXT_BYTES_MAX} are read", text.len());
        return Err(Error::invalid_input("too-long", message));
    }
    Ok(Layout::of(text))
}

export!(extract, sentiment, topics, summarise, report);
