::core::compile_error! {
    "a step is not `async`: it has its sandbox to itself and may block"
}
async fn greet(input: Input) -> Output {
    Output
}
