//! Function words and common verbs of English: they tie a text together and say nothing of
//! its topic. Both lists are kept sorted, so that a look-up is a binary search.

/// Whether a lower-case word is a function word.
#[must_use]
pub fn is_stop_word(word: &str) -> bool {
    word.chars().nth(1).is_none() || FUNCTION_WORDS.binary_search(&word).is_ok()
}

/// Whether a key phrase ends before this lower-case word: at function words, at verbs that any
/// text uses, and at adverbs.
#[must_use]
pub fn ends_phrase(word: &str) -> bool {
    is_stop_word(word) || COMMON_VERBS.binary_search(&word).is_ok() || is_adverb(word)
}

fn is_adverb(word: &str) -> bool {
    word.len() > 5 && word.ends_with("ly") && NOT_ADVERBS.binary_search(&word).is_err()
}

const NOT_ADVERBS: &[&str] = &[
    "ally", "anomaly", "assembly", "belly", "bully", "butterfly", "daily", "early", "elderly",
    "family", "friendly", "hourly", "italy", "july", "monopoly", "monthly", "quarterly", "rally",
    "reply", "supply", "weekly", "yearly",
];

const FUNCTION_WORDS: &[&str] = &[
    "about", "above", "according", "accordingly", "across", "after", "again", "against", "ago",
    "ain't", "all", "almost", "alone", "along", "already", "also", "although", "always", "am",
    "among", "amongst", "an", "and", "another", "any", "anybody", "anyhow", "anyone", "anything",
    "anyway", "anywhere", "apart", "are", "aren't", "around", "as", "aside", "at", "away", "back",
    "be", "became", "because", "become", "becomes", "been", "before", "beforehand", "behind",
    "being", "below", "beside", "besides", "between", "beyond", "both", "but", "by", "can", "can't",
    "cannot", "could", "couldn't", "despite", "did", "didn't", "do", "does", "doesn't", "doing",
    "don't", "done", "down", "due", "during", "each", "eight", "either", "else", "elsewhere",
    "enough", "especially", "etc", "even", "ever", "every", "everybody", "everyone", "everything",
    "everywhere", "except", "far", "few", "fifth", "first", "five", "for", "former", "formerly",
    "four", "fourth", "from", "further", "furthermore", "had", "hadn't", "has", "hasn't", "have",
    "haven't", "having", "he", "he'd", "he'll", "he's", "hence", "her", "here", "hereafter",
    "hereby", "herein", "hereof", "hereto", "hereunder", "hers", "herself", "him", "himself", "his",
    "hither", "how", "howbeit", "however", "i'd", "i'll", "i'm", "i've", "ie", "if", "in",
    "inasmuch", "indeed", "insofar", "instead", "into", "inward", "is", "isn't", "it", "it'd",
    "it'll", "it's", "its", "itself", "just", "last", "later", "latter", "least", "less", "lest",
    "let", "let's", "like", "likewise", "little", "many", "may", "maybe", "me", "meanwhile",
    "might", "mine", "more", "moreover", "most", "mostly", "much", "must", "mustn't", "my",
    "myself", "namely", "near", "nearly", "neither", "never", "nevertheless", "next", "nine", "no",
    "nobody", "none", "nonetheless", "nor", "not", "nothing", "notwithstanding", "now", "nowhere",
    "of", "off", "often", "oh", "ok", "okay", "on", "once", "one", "ones", "only", "onto", "or",
    "other", "others", "otherwise", "ought", "our", "ours", "ourselves", "out", "outside", "over",
    "overall", "own", "per", "perhaps", "please", "provided", "quite", "rather", "re", "regarding",
    "regardless", "same", "second", "seven", "several", "shall", "shan't", "she", "she'd", "she'll",
    "she's", "should", "shouldn't", "since", "six", "so", "some", "somebody", "somehow", "someone",
    "something", "sometimes", "somewhat", "somewhere", "still", "such", "ten", "than", "that",
    "that's", "the", "thee", "their", "theirs", "them", "themselves", "then", "thence", "there",
    "there's", "thereafter", "thereby", "therefore", "therefrom", "therein", "thereof", "thereto",
    "therewith", "these", "they", "they'd", "they'll", "they're", "they've", "third", "this",
    "those", "though", "three", "through", "throughout", "thus", "till", "to", "together", "too",
    "toward", "towards", "twice", "two", "under", "unless", "unlike", "until", "unto", "up", "upon",
    "us", "very", "via", "was", "wasn't", "we", "we'd", "we'll", "we're", "we've", "well", "were",
    "weren't", "what", "what's", "whatever", "whatsoever", "when", "whence", "whenever", "where",
    "whereafter", "whereas", "whereby", "wherein", "whereof", "whereupon", "wherever", "whether",
    "which", "whichever", "while", "whilst", "who", "who's", "whoever", "whole", "whom", "whose",
    "why", "will", "with", "within", "without", "won't", "would", "wouldn't", "yes", "yet", "you",
    "you'd", "you'll", "you're", "you've", "your", "yours", "yourself", "yourselves",
];

const COMMON_VERBS: &[&str] = &[
    "accompany", "accompanying", "add", "added", "adding", "agree", "agreed", "agrees", "allowed",
    "allowing", "allows", "appear", "appears", "applied", "applies", "apply", "applying", "arise",
    "arising", "ask", "asked", "attach", "attached", "based", "began", "begin", "begins", "brought",
    "called", "came", "cannot", "carry", "cause", "caused", "causes", "changed", "changing",
    "choose", "chooses", "come", "comes", "coming", "concern", "concerning", "consider",
    "considered", "consist", "consists", "contain", "contained", "containing", "contains", "convey",
    "copying", "create", "created", "creates", "creating", "deem", "deemed", "delete", "describe",
    "described", "describes", "designated", "distribute", "distributed", "distributes",
    "distributing", "ensure", "exclude", "excluded", "excludes", "excluding", "exercise",
    "exercising", "extend", "extends", "fail", "fails", "find", "finds", "follow", "followed",
    "following", "follows", "found", "gave", "get", "gets", "getting", "give", "given", "gives",
    "giving", "go", "goes", "going", "gone", "got", "granted", "granting", "grants", "happen",
    "happened", "happens", "hold", "holds", "identify", "implied", "imply", "impose", "imposed",
    "include", "included", "includes", "including", "intend", "intended", "keep", "keeps", "kept",
    "knew", "know", "known", "knows", "leave", "leaves", "left", "limited", "listed", "look",
    "looked", "looks", "made", "make", "makes", "making", "mean", "means", "meant", "meet",
    "modify", "modifying", "move", "moved", "need", "needed", "needs", "obtain", "obtained",
    "offer", "offered", "offering", "offers", "perform", "permit", "permits", "permitted", "placed",
    "preserve", "prevent", "prevents", "prohibit", "prohibited", "propagate", "provide", "provides",
    "providing", "publish", "published", "put", "puts", "ran", "reached", "read", "receive",
    "received", "receives", "refer", "referred", "refers", "relates", "relating", "released",
    "remain", "remains", "remove", "removed", "require", "required", "requires", "requiring", "run",
    "running", "runs", "said", "saw", "say", "saying", "says", "see", "seem", "seems", "seen",
    "sees", "sell", "send", "sent", "set", "sets", "show", "showed", "shown", "shows", "start",
    "started", "starts", "stated", "stating", "stop", "stopped", "subject", "take", "taken",
    "takes", "taking", "tell", "tells", "think", "thinking", "thinks", "told", "took", "tried",
    "tries", "try", "trying", "use", "used", "uses", "using", "violate", "want", "wanted", "wants",
    "went", "wish", "worked", "working", "write", "writes", "writing", "wrote",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_hold_nothing_twice() {
        for list in [FUNCTION_WORDS, COMMON_VERBS, NOT_ADVERBS] {
            for pair in list.windows(2) {
                assert!(pair[0] < pair[1], "{} stands before {}", pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn topics_are_kept_and_glue_is_not() {
        for word in ["the", "a", "é", "thereof", "don't"] {
            assert!(is_stop_word(word), "{word}");
        }
        for word in ["license", "software", "family", "io"] {
            assert!(!ends_phrase(word), "{word}");
        }
        for word in ["modify", "perpetually", "must"] {
            assert!(ends_phrase(word), "{word}");
        }
    }
}
