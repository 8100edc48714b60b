#[allow(clippy::needless_pass_by_value, reason = "a step owns its input")]
#[cfg(feature = "extra")]
pub fn r#type(input: (), context: Context) -> wfhost_guest::Result<()> {
    Ok(())
}
#[cfg(feature = "extra")]
/// The step `type`, for `export!` and `steps!`.
#[allow(non_camel_case_types, reason = "named like the function")]
pub enum r#type {}
#[cfg(feature = "extra")]
impl ::wfhost_guest::StepFunction for r#type {
    const STEP: ::wfhost_guest::Step = ::wfhost_guest::Step {
        name: "type",
        docs: "",
        input_schema: ::wfhost_guest::__private::schema_of_input::<()>,
        output_schema: ::wfhost_guest::__private::schema_of_output::<
            <wfhost_guest::Result<()> as ::wfhost_guest::__private::Fallible>::Output,
        >,
        run: |__context: ::wfhost_guest::Context, __input: &str| {
            let __context = __context.measured();
            let __input = ::wfhost_guest::__private::parse::<()>(__input)?;
            let __answer = r#type(__input, __context);
            ::wfhost_guest::__private::fallible_answer::<
                wfhost_guest::Result<()>,
            >(__answer)
        },
    };
}
