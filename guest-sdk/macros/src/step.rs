//! `#[step]`: checks the function's signature and writes the code that calls it with JSON.
//!
//! Every refusal points at the token of the user's that is wrong, and what is generated carries
//! the user's types, so that a missing trait is reported at the type in the signature.

#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, FnArg, Ident, ItemFn, LitStr, Meta, Result, ReturnType, Signature, Type,
};

/// The code for `#[step(arguments)] item`, or the item with a compile error beside it.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    match try_expand(arguments, item) {
        Ok(expanded) => expanded,
        Err(error) => {
            let error = error.into_compile_error();
            // The item stays, so that uses of it are not reported as well.
            quote! { #error #item }
        }
    }
}

/// The code for `#[step(arguments)] item`.
///
/// # Errors
/// What is wrong, at its place in the user's code.
pub(crate) fn try_expand(arguments: TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let function: ItemFn =
        syn::parse2(item.clone()).map_err(|error| not_a_function(item).unwrap_or(error))?;
    let step = Step::read(arguments, &function)?;
    let generated = step.generate(&function);
    Ok(quote! {
        #[allow(clippy::needless_pass_by_value, reason = "a step owns its input")]
        #function
        #generated
    })
}

/// An item that is not a function gets our words; a function with a syntax error gets syn's.
fn not_a_function(item: &TokenStream) -> Option<Error> {
    let item: syn::Item = syn::parse2(item.clone()).ok()?;
    Some(Error::new_spanned(item, "`#[step]` goes on a function"))
}

/// What there is to know about a step's function.
struct Step<'f> {
    name: LitStr,
    docs: String,
    cfgs: Vec<&'f Attribute>,
    input: &'f Type,
    context: Option<ContextBy<'f>>,
    output: Output<'f>,
}

/// How the function takes the context.
enum ContextBy<'f> {
    Reference(&'f Type),
    Value(&'f Type),
}

enum Output<'f> {
    Plain(&'f Type),
    /// A type that is called `Result`.
    Fallible(&'f Type),
}

impl<'f> Step<'f> {
    fn read(arguments: TokenStream, function: &'f ItemFn) -> Result<Self> {
        let signature = &function.sig;
        refuse_qualifiers(signature)?;
        let (input, context) = parameters(signature)?;
        Ok(Self {
            name: name(arguments, &signature.ident)?,
            docs: docs(&function.attrs),
            cfgs: function
                .attrs
                .iter()
                .filter(|attribute| attribute.path().is_ident("cfg"))
                .collect(),
            input: owned_input(input)?,
            context: context.map(context_by).transpose()?,
            output: output(signature)?,
        })
    }

    /// The type that stands for the step. Its locals have names that no function of the user's has.
    fn generate(&self, function: &ItemFn) -> TokenStream {
        let Self { name, docs, cfgs, input, .. } = self;
        let ident = &function.sig.ident;
        let visibility = &function.vis;
        let title = format!(" The step `{}`, for `export!` and `steps!`.", name.value());
        let (context, measured) = self.context();
        let call = self.call(ident);
        let output = self.output_type();
        quote! {
            #(#cfgs)*
            #[doc = #title]
            #[allow(non_camel_case_types, reason = "named like the function")]
            #visibility enum #ident {}

            #(#cfgs)*
            impl ::wfhost_guest::StepFunction for #ident {
                const STEP: ::wfhost_guest::Step = ::wfhost_guest::Step {
                    name: #name,
                    docs: #docs,
                    input_schema: ::wfhost_guest::__private::schema_of_input::<#input>,
                    output_schema: ::wfhost_guest::__private::schema_of_output::<#output>,
                    run: |#context: ::wfhost_guest::Context, __input: &str| {
                        #measured
                        let __input = ::wfhost_guest::__private::parse::<#input>(__input)?;
                        #call
                    },
                };
            }
        }
    }

    /// The context's name, and the start of its clock where the function asks for it.
    fn context(&self) -> (TokenStream, TokenStream) {
        match self.context {
            Some(_) => (quote! { __context }, quote! { let __context = __context.measured(); }),
            None => (quote! { _ }, TokenStream::new()),
        }
    }

    fn call(&self, ident: &Ident) -> TokenStream {
        let context = match self.context {
            Some(ContextBy::Reference(ty)) => quote_spanned! { ty.span()=> , &__context },
            Some(ContextBy::Value(ty)) => quote_spanned! { ty.span()=> , __context },
            None => TokenStream::new(),
        };
        // The answer is bound to a name at the type's place: there a missing trait is reported.
        let written = match self.output {
            Output::Plain(ty) => quote_spanned! { ty.span()=>
                ::wfhost_guest::__private::answer::<#ty>(&__answer)
            },
            Output::Fallible(ty) => quote_spanned! { ty.span()=>
                ::wfhost_guest::__private::fallible_answer::<#ty>(__answer)
            },
        };
        quote! { let __answer = #ident(__input #context); #written }
    }

    fn output_type(&self) -> TokenStream {
        match self.output {
            Output::Plain(ty) => quote! { #ty },
            Output::Fallible(ty) => quote_spanned! { ty.span()=>
                <#ty as ::wfhost_guest::__private::Fallible>::Output
            },
        }
    }
}

fn refuse_qualifiers(signature: &Signature) -> Result<()> {
    if let Some(token) = &signature.asyncness {
        return Err(Error::new_spanned(
            token,
            "a step is not `async`: it has its sandbox to itself and may block",
        ));
    }
    if let Some(token) = &signature.unsafety {
        return Err(Error::new_spanned(token, "a step is not `unsafe`: its caller is the host"));
    }
    if let Some(abi) = &signature.abi {
        return Err(Error::new_spanned(
            abi,
            "a step is a Rust function; `#[step]` makes it callable from outside",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "a step is not generic: its schemas come from its types",
        ));
    }
    if let Some(clause) = &signature.generics.where_clause {
        return Err(Error::new_spanned(
            clause,
            "a step is not generic: its schemas come from its types",
        ));
    }
    Ok(())
}

const PARAMETERS: &str = "a step takes one input, and `&Context` after it if it needs it";

/// The types of the input and, where there is one, the context.
fn parameters(signature: &Signature) -> Result<(&Type, Option<&Type>)> {
    if let Some(dots) = &signature.variadic {
        return Err(Error::new_spanned(dots, PARAMETERS));
    }
    let mut types = Vec::new();
    for parameter in &signature.inputs {
        match parameter {
            FnArg::Receiver(receiver) => {
                return Err(Error::new_spanned(
                    receiver,
                    "a step is a plain function, not a method",
                ));
            }
            FnArg::Typed(typed) if types.len() == 2 => {
                return Err(Error::new_spanned(typed, PARAMETERS));
            }
            FnArg::Typed(typed) => types.push(&*typed.ty),
        }
    }
    match types[..] {
        [input] => Ok((input, None)),
        [input, context] => Ok((input, Some(context))),
        _ => Err(Error::new(signature.paren_token.span.join(), PARAMETERS)),
    }
}

fn owned_input(input: &Type) -> Result<&Type> {
    match input {
        Type::Reference(reference) => Err(Error::new_spanned(
            reference,
            "a step owns its input: take the type without `&` (`String` for `&str`)",
        )),
        Type::ImplTrait(some) => {
            Err(Error::new_spanned(some, "name the type of the input: its schema comes from it"))
        }
        _ => Ok(input),
    }
}

fn context_by(context: &Type) -> Result<ContextBy<'_>> {
    match context {
        Type::Reference(reference) => match &reference.mutability {
            Some(token) => {
                Err(Error::new_spanned(token, "the context is taken as `&Context` or `Context`"))
            }
            None => Ok(ContextBy::Reference(context)),
        },
        _ => Ok(ContextBy::Value(context)),
    }
}

fn output(signature: &Signature) -> Result<Output<'_>> {
    match &signature.output {
        ReturnType::Default => Err(Error::new(
            Span::join(&signature.ident.span(), signature.paren_token.span.close())
                .unwrap_or_else(|| signature.ident.span()),
            "a step gives an answer: add its type (`-> Result<()>` if all there is to tell is success)",
        )),
        ReturnType::Type(_, ty) => match &**ty {
            Type::ImplTrait(some) => Err(Error::new_spanned(
                some,
                "name the type of the answer: its schema comes from it",
            )),
            Type::Reference(reference) => Err(Error::new_spanned(
                reference,
                "a step gives its answer away: return the type without `&`",
            )),
            ty if is_result(ty) => Ok(Output::Fallible(ty)),
            ty => Ok(Output::Plain(ty)),
        },
    }
}

/// Whether the type is called `Result`, with any path. Its error type is the compiler's to check.
fn is_result(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => {
            path.path.segments.last().is_some_and(|segment| segment.ident == "Result")
        }
        Type::Paren(inner) => is_result(&inner.elem),
        Type::Group(inner) => is_result(&inner.elem),
        _ => false,
    }
}

/// The name from the attribute, else from the function.
fn name(arguments: TokenStream, ident: &Ident) -> Result<LitStr> {
    let given = if arguments.is_empty() { None } else { Some(name_argument(arguments)?) };
    let name = given
        .unwrap_or_else(|| LitStr::new(&ident.unraw().to_string().replace('_', "-"), ident.span()));
    if !is_kebab(&name.value()) {
        return Err(Error::new(
            name.span(),
            format!(
                "`{}` cannot be a step's name: it is lower-case letters and digits, in words that begin with a \
                 letter, with `-` between them; give it one with `#[step(name = \"…\")]`",
                name.value()
            ),
        ));
    }
    Ok(name)
}

fn name_argument(arguments: TokenStream) -> Result<LitStr> {
    const USAGE: &str = "`#[step]` takes nothing but `name = \"…\"`";
    let Meta::NameValue(pair) = syn::parse2::<Meta>(arguments.clone())
        .map_err(|_| Error::new_spanned(&arguments, USAGE))?
    else {
        return Err(Error::new_spanned(arguments, USAGE));
    };
    if !pair.path.is_ident("name") {
        return Err(Error::new_spanned(pair.path, USAGE));
    }
    match pair.value {
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(name), .. }) => Ok(name),
        other => Err(Error::new_spanned(other, "the name is a string, such as `\"split-words\"`")),
    }
}

/// The names that WIT has for functions, in lower case, so that a step can become an exported one.
fn is_kebab(name: &str) -> bool {
    name.split('-').all(|word| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
    })
}

/// The doc comment, without the space that follows `///`.
fn docs(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else {
            continue;
        };
        if pair.path.is_ident("doc") {
            lines.extend(
                text.value()
                    .split('\n')
                    .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()),
            );
        }
    }
    lines.join("\n").trim().to_owned()
}
