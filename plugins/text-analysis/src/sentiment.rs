//! Sentiment by VADER: Hutto and Gilbert, *VADER: A Parsimonious Rule-based Model for Sentiment
//! Analysis of Social Media Text* (2014).
//!
//! The lexicon and its rules (negation, intensifiers, capitals, punctuation, "but") come
//! through the package `vader-parity`. They are made for sentences, and their sum saturates on
//! longer text; so each sentence is scored, and a document has the mean of its sentences.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vader_parity::SentimentIntensityAnalyzer;

use crate::{round, sentences::Sentence};

/// From this mean on a text is called positive, below its negative negative: the authors' own
/// thresholds.
const LABEL_AT: f64 = 0.05;

/// How a document feels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sentiment {
    /// The document's name.
    pub name: String,
    /// Mean of the sentences' compound scores, from −1 (most negative) to 1.
    pub compound: f64,
    /// `positive`, `neutral` or `negative`.
    pub label: String,
    /// Share of the sentences that are positive.
    pub positive: f64,
    /// Share of the sentences that are neither.
    pub neutral: f64,
    /// Share of the sentences that are negative.
    pub negative: f64,
    /// The most positive sentence, if any is positive.
    pub brightest: Option<Scored>,
    /// The most negative sentence, if any is negative.
    pub darkest: Option<Scored>,
}

/// A sentence and its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scored {
    /// As in the document.
    pub text: String,
    /// VADER's compound score.
    pub compound: f64,
}

/// Scores the sentences of the document `name`.
#[must_use]
pub fn score(name: &str, sentences: &[Sentence]) -> Sentiment {
    let analyzer = SentimentIntensityAnalyzer::new();
    let scores: Vec<f64> =
        sentences.iter().map(|s| analyzer.polarity_scores(&s.text).compound).collect();
    let share = |label| {
        let such = scores.iter().filter(|score| self::label(**score) == label).count();
        round(such as f64 / scores.len().max(1) as f64, 4)
    };
    // Two decimals are what is shown: the label must agree with it.
    let mean = round(scores.iter().sum::<f64>() / scores.len().max(1) as f64, 4);
    Sentiment {
        name: name.to_owned(),
        compound: mean,
        label: label(round(mean, 2)).to_owned(),
        positive: share("positive"),
        neutral: if scores.is_empty() { 1.0 } else { share("neutral") },
        negative: share("negative"),
        brightest: extreme(sentences, &scores, 1.0),
        darkest: extreme(sentences, &scores, -1.0),
    }
}

/// What a compound score is called.
#[must_use]
pub fn label(compound: f64) -> &'static str {
    match compound {
        score if score >= LABEL_AT => "positive",
        score if score <= -LABEL_AT => "negative",
        _ => "neutral",
    }
}

/// The sentence furthest to one side, the first of equals: a whole one if there is any.
fn extreme(sentences: &[Sentence], scores: &[f64], side: f64) -> Option<Scored> {
    let is_whole = |sentence: &Sentence| sentence.is_complete && !sentence.is_caps;
    let furthest = |fits: &dyn Fn(&Sentence) -> bool| {
        let mut best: Option<(usize, f64)> = None;
        for (at, score) in scores.iter().enumerate() {
            let reach = score * side;
            let further = best.is_none_or(|(_, most)| reach > most);
            if reach >= LABEL_AT && further && fits(&sentences[at]) {
                best = Some((at, reach));
            }
        }
        best
    };
    let (at, _) = furthest(&is_whole).or_else(|| furthest(&|_| true))?;
    Some(Scored { text: sentences[at].text.clone(), compound: scores[at] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{layout::Layout, sentences};

    fn of(text: &str) -> Sentiment {
        score("a", &sentences::of(&Layout::of(text)))
    }

    fn compound(sentence: &str) -> f64 {
        of(sentence).compound
    }

    #[test]
    fn the_rules_of_the_paper_hold() {
        let plain = compound("The food is good.");
        assert!(plain > 0.4, "{plain}");
        assert!(compound("The food is not good.") < 0.0, "negation");
        assert!(compound("The food is very good.") > plain, "intensifier");
        assert!(compound("The food is somewhat good.") < plain, "dampener");
        assert!(compound("The food is good!!!") > plain, "punctuation");
        assert!(compound("The food is GOOD.") > plain, "capitals among ordinary words");
        let contrast = compound("The food is good, but the service is horrible.");
        assert!(contrast < 0.0, "what follows `but` weighs more");
    }

    #[test]
    fn a_score_by_hand() {
        // `good` is 1.9 in the lexicon: 1.9 / √(1.9² + 15) = 0.4404.
        assert_eq!(compound("The food is good."), 0.4404);
    }

    #[test]
    fn a_document_is_the_mean_of_its_sentences() {
        let both = of("The food is good. The service is horrible. It is here. So it is.");
        assert_eq!(both.label, label(both.compound));
        assert_eq!((both.positive, both.neutral, both.negative), (0.25, 0.5, 0.25));
        assert_eq!(both.brightest.map(|s| s.text).as_deref(), Some("The food is good."));
        assert_eq!(both.darkest.map(|s| s.text).as_deref(), Some("The service is horrible."));
    }

    #[test]
    fn no_sentence_has_no_feeling() {
        let none = of("");
        assert_eq!((none.compound, none.label.as_str(), none.neutral), (0.0, "neutral", 1.0));
        assert_eq!((none.brightest, none.darkest), (None, None));
    }
}
