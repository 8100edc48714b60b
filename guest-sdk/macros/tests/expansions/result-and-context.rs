#[allow(clippy::needless_pass_by_value, reason = "a step owns its input")]
pub(crate) fn split_words(
    input: Vec<String>,
    context: &Context,
) -> Result<Vec<Word>, MyError> {
    todo()
}
/// The step `split-words`, for `export!` and `steps!`.
#[allow(non_camel_case_types, reason = "named like the function")]
pub(crate) enum split_words {}
impl ::wfhost_guest::StepFunction for split_words {
    const STEP: ::wfhost_guest::Step = ::wfhost_guest::Step {
        name: "split-words",
        docs: "",
        input_schema: ::wfhost_guest::__private::schema_of_input::<Vec<String>>,
        output_schema: ::wfhost_guest::__private::schema_of_output::<
            <Result<Vec<Word>, MyError> as ::wfhost_guest::__private::Fallible>::Output,
        >,
        run: |__context: ::wfhost_guest::Context, __input: &str| {
            let __context = __context.measured();
            let __input = ::wfhost_guest::__private::parse::<Vec<String>>(__input)?;
            let __answer = split_words(__input, &__context);
            ::wfhost_guest::__private::fallible_answer::<
                Result<Vec<Word>, MyError>,
            >(__answer)
        },
    };
}
