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

#[rustfmt::skip]
const NOT_ADVERBS: &[&str] = &[
    "ally", "anomaly", "assembly", "belly", "bully", "butterfly", "daily", "early", "elderly",
    "family", "friendly", "hourly", "italy", "july", "monopoly", "monthly", "quarterly", "rally",
    "reply", "supply", "weekly", "yearly",
];

#[rustfmt::skip]
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
    "regardless", "same", "seven", "several", "shall", "shan't", "she", "she'd", "she'll", "she's",
    "should", "shouldn't", "since", "six", "so", "some", "somebody", "somehow", "someone",
    "something", "sometimes", "somewhat", "somewhere", "still", "such", "ten", "than", "that",
    "that's", "the", "thee", "their", "theirs", "them", "themselves", "then", "thence", "there",
    "there's", "thereafter", "thereby", "therefore", "therefrom", "therein", "thereof", "thereto",
    "therewith", "these", "they", "they'd", "they'll", "they're", "they've", "this", "those",
    "though", "three", "through", "throughout", "thus", "till", "to", "together", "too", "toward",
    "towards", "twice", "two", "under", "unless", "unlike", "until", "unto", "up", "upon", "us",
    "very", "via", "was", "wasn't", "we", "we'd", "we'll", "we're", "we've", "well", "were",
    "weren't", "what", "what's", "whatever", "whatsoever", "when", "whence", "whenever", "where",
    "whereafter", "whereas", "whereby", "wherein", "whereof", "whereupon", "wherever", "whether",
    "which", "whichever", "while", "whilst", "who", "who's", "whoever", "whole", "whom", "whose",
    "why", "will", "with", "within", "without", "won't", "would", "wouldn't", "yes", "yet", "you",
    "you'd", "you'll", "you're", "you've", "your", "yours", "yourself", "yourselves",
];

#[rustfmt::skip]
const COMMON_VERBS: &[&str] = &[
    "accept", "accepted", "accepts", "accompany", "accompanying", "acknowledge", "add", "added",
    "adding", "affect", "affected", "affects", "agree", "agreed", "agrees", "allowed", "allowing",
    "allows", "appear", "appears", "applied", "applies", "apply", "applying", "arise", "arising",
    "ask", "asked", "attach", "attached", "based", "became", "become", "began", "begin", "begins",
    "believe", "believed", "believes", "bought", "bring", "broke", "brought", "built", "buy",
    "buys", "called", "calls", "came", "cannot", "carried", "carries", "carry", "cause", "caused",
    "causes", "changed", "changing", "choose", "chooses", "chose", "claiming", "come", "comes",
    "coming", "complies", "comply", "compute", "computes", "concern", "concerning", "consider",
    "considered", "consist", "consists", "contain", "contained", "containing", "contains", "convey",
    "conveyed", "conveying", "conveys", "copying", "create", "created", "creates", "creating",
    "decide", "decided", "decides", "deem", "deemed", "delete", "derive", "derived", "derives",
    "describe", "described", "describes", "designated", "disclaim", "disclaims", "displays",
    "distribute", "distributed", "distributes", "distributing", "drew", "drove", "enable",
    "enables", "endorse", "enforce", "ensure", "entitle", "entitled", "exclude", "excluded",
    "excludes", "excluding", "exercise", "exercising", "expect", "expected", "expects", "explain",
    "explained", "explains", "extend", "extends", "fail", "fails", "feel", "feels", "fell", "felt",
    "find", "finds", "follow", "followed", "following", "follows", "found", "gave", "get", "gets",
    "getting", "give", "given", "gives", "giving", "go", "goes", "going", "gone", "got", "granted",
    "granting", "grants", "grew", "happen", "happened", "happens", "hear", "heard", "hears",
    "helped", "helps", "hold", "holds", "identify", "implied", "imply", "impose", "imposed",
    "include", "included", "includes", "including", "infringe", "infringed", "infringes", "intend",
    "intended", "keep", "keeps", "kept", "knew", "know", "known", "knows", "learn", "learned",
    "learns", "leave", "leaves", "left", "liked", "likes", "limited", "linking", "listed", "lived",
    "look", "looked", "looks", "lose", "loses", "lost", "made", "make", "makes", "making", "mean",
    "means", "meant", "meet", "modify", "modifying", "move", "moved", "need", "needed", "needs",
    "obtain", "obtained", "offer", "offered", "offering", "offers", "paid", "pay", "pays",
    "perform", "permit", "permits", "permitted", "placed", "played", "plays", "preserve", "prevent",
    "prevents", "prohibit", "prohibited", "promote", "propagate", "provide", "provides",
    "providing", "publish", "published", "purport", "purporting", "put", "puts", "raise", "raised",
    "raises", "ran", "reached", "read", "receive", "received", "receives", "redistribute", "refer",
    "referred", "refers", "relates", "relating", "released", "remain", "remains", "remove",
    "removed", "replace", "replaced", "replaces", "reproduce", "require", "required", "requires",
    "requiring", "rose", "run", "running", "runs", "said", "saw", "say", "saying", "says", "see",
    "seem", "seems", "seen", "sees", "sell", "sells", "send", "sent", "set", "sets", "show",
    "showed", "shown", "shows", "sold", "spoke", "start", "started", "starts", "stated", "stating",
    "stay", "stayed", "stood", "stop", "stopped", "subject", "surrender", "take", "taken", "takes",
    "taking", "talked", "talks", "tell", "tells", "think", "thinking", "thinks", "thought", "told",
    "took", "tried", "tries", "try", "trying", "turned", "turns", "use", "used", "uses", "using",
    "violate", "wait", "waited", "waits", "waive", "waived", "waives", "want", "wanted", "wants",
    "went", "wish", "won", "worked", "working", "write", "writes", "writing", "wrote",
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
