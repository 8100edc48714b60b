#[allow(clippy::needless_pass_by_value, reason = "a step owns its input")]
/// Says hello.
///
/// In *English*.
#[step_follows(here)]
fn greet(Input { name }: Input) -> Output {
    Output { name }
}
/// The step `greet`, for `export!` and `steps!`.
#[allow(non_camel_case_types, reason = "named like the function")]
enum greet {}
impl ::wfhost_guest::StepFunction for greet {
    const STEP: ::wfhost_guest::Step = ::wfhost_guest::Step {
        name: "greet",
        docs: "Says hello.\n\nIn *English*.",
        input_schema: ::wfhost_guest::__private::schema_of_input::<Input>,
        output_schema: ::wfhost_guest::__private::schema_of_output::<Output>,
        run: |_: ::wfhost_guest::Context, __input: &str| {
            let __input = ::wfhost_guest::__private::parse::<Input>(__input)?;
            let __answer = greet(__input);
            ::wfhost_guest::__private::answer::<Output>(&__answer)
        },
    };
}
