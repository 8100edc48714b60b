//! Kinds of problems: a stable short name for each, and what it means.

/// How grave a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing need be wrong.
    Note,
    /// May fail at run, for values that the schemas allow.
    Warning,
    /// Cannot work: the file is refused.
    Error,
}

impl Severity {
    /// The word before a problem.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal)+) => {
        /// The kind of a problem. Names never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable short name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What it means and what to do about it, in some sentences.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)+
                }
            }
        }
    };
}

codes! {
    Yaml "yaml" "The file is not YAML, or uses a part of it that a workflow file has no use for: anchors, aliases, tags, several documents, a key that is written twice."
    UnknownKey "unknown-key" "A key that means nothing where it stands, often a slip of the pen."
    InvalidValue "invalid-value" "A value that its key does not take, or a key that is missing."
    Duplicate "duplicate" "A name that must be unique is used twice."
    Order "order" "Steps need each other in a circle, or an expression names a step that may not be done by then. Without `needs` a step needs the one written before it."
    Expression "expression" "An expression that cannot be read: not CEL, too large, or a function that does not exist."
    UnknownName "unknown-name" "A name that is not known where it is used: a step, a plugin, or the beginning of a path."
    UnknownFunction "unknown-function" "The plugin has no function of this name."
    RefusedFunction "refused-function" "The plugin exports this function, but no workflow can call it: its signature has handles, streams or futures."
    PluginUnusable "plugin-unusable" "The plugin's file or manifest cannot be read, is no component, or does not describe itself. What the other plugins are given is checked all the same."
    InvalidSchema "invalid-schema" "The schema that a plugin gives for a function is no JSON Schema: what the function takes is not checked."
    WrongType "wrong-type" "No value that this can have is accepted where it is used: text for a list, a number for text, a field of something that has none. It fails in every run that gets there."
    MayBeWrongType "may-be-wrong-type" "Some values that this can have, by its schema, are not accepted where it is used."
    MayBeNull "may-be-null" "The value is null in some runs, as the schema says or because a step is skipped by its `when`, and null is not accepted where it is used. Test it before (`x != null ? … : …`, `has(x.y)`), or give the using step the same `when`."
    MayBeMissing "may-be-missing" "A field that its schema does not require, or one that a step requires and its giver may leave out. Ask `has(…)` first, give it a `default`, or require it."
    MayBeMissingItem "may-be-missing-item" "The list may be shorter, as its schema has no `minItems`."
    OutOfBounds "out-of-bounds" "The giver's schema allows values beyond what the taker's schema accepts: larger, longer, or not among those listed."
    UnknownField "unknown-field" "A field that is not there by its schema, or that the taker does not accept. For a field that is there although no schema names it, write `dyn(value).field`."
    UnlistedField "unlisted-field" "A field that its schema does not name, but does not rule out either."
    UnknownItem "unknown-item" "The list is never long enough to have this item."
    MissingField "missing-field" "A function requires a field, and its input has none."
    RefusedValue "refused-value" "A constant that the function's schema refuses."
    NeverEqual "never-equal" "Two values are compared that can never be equal: the result is always the same."
    NeverNull "never-null" "A value is compared with null that is never null."
    NeverTrue "never-true" "A condition that is false in every run."
    NeverRuns "never-runs" "The step's `when` is false in every run."
    UnusedResult "unused-result" "No expression names the result of this step, and it is not in the output."
    UnusedPlugin "unused-plugin" "No step calls this plugin."
    UnusedInput "unused-input" "No expression names this field of the input."
    NoOutput "no-output" "The workflow has no `output`: its runs give null."
    GrantNotGiven "grant-not-given" "The plugin's manifest asks for a directory that the workflow does not give: the plugin may fail without it."
    GrantNotAsked "grant-not-asked" "The workflow gives a directory that the plugin's manifest does not ask for. What holds is what is asked, given and allowed, so that a run is denied."
    GrantLess "grant-less" "The plugin asks for more than the workflow gives: it can read this directory but not change it."
    GrantMore "grant-more" "The workflow gives more than the plugin asks for: the plugin only reads this directory."
    GrantUnusable "grant-unusable" "The directory does not exist, or is none. A path in the file is relative to the file."
    GrantUnused "grant-unused" "The component reads or writes files, but asks for no directory: it will find none."
    UselessRetry "useless-retry" "A part of `retry` that changes nothing: waits without a second attempt, or a kind of failure that is never repeated anyway."
    InvalidLabel "invalid-label" "The name or the value of a label under `requires` is none that a worker can have. Both are text: write `gpu: \"true\"`, and start the worker with `--label gpu=true`."
    LimitTooLarge "limit-too-large" "A limit above what the operator allows: the operator's holds."
}

impl Code {
    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own() {
        for code in Code::ALL {
            assert_eq!(Code::named(code.name()), Some(*code));
            assert!(code.meaning().ends_with('.'), "{}", code.name());
        }
        assert_eq!(Code::named("no-such-code"), None);
    }
}
