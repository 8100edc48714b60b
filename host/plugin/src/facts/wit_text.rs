//! Types and worlds as WIT text, bounded.

use wit_component::{Output, OutputToString, TypeKind, WitPrinter};
use wit_parser::{Function, Resolve, WorldId};

/// A component's whole WIT.
const WIT_BYTES_MAX: usize = 8 << 20;
/// One function's signature.
const SIGNATURE_BYTES_MAX: usize = 16 << 10;

/// Drops what goes over its bound: the printer knows no errors of its output.
struct Bounded {
    inner: OutputToString,
    left: usize,
}

impl Bounded {
    fn printer(bytes_max: usize) -> WitPrinter<Self> {
        WitPrinter::new(Self { inner: OutputToString::default(), left: bytes_max })
    }

    fn take(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.left;
        self.left = if fits { self.left - bytes } else { 0 };
        fits
    }
}

impl Output for Bounded {
    fn push_str(&mut self, text: &str) {
        if self.take(text.len()) {
            self.inner.push_str(text);
        }
    }

    fn indent_if_needed(&mut self) -> bool {
        self.take(8) && self.inner.indent_if_needed()
    }

    fn indent_start(&mut self) {
        self.inner.indent_start();
    }

    fn indent_end(&mut self) {
        self.inner.indent_end();
    }

    fn newline(&mut self) {
        if self.take(1) {
            self.inner.newline();
        }
    }
}

/// The world, and all that it names as nested packages.
pub(super) fn print(resolve: &Resolve, world: WorldId) -> String {
    let Some(main) = resolve.worlds[world].package else { return String::new() };
    let others: Vec<_> =
        resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != main).collect();
    let mut printer = Bounded::printer(WIT_BYTES_MAX);
    let printed = printer.print(resolve, main, &others);
    let cut = printer.output.left == 0;
    let mut text = String::from(printer.output.inner);
    if let Err(error) = printed {
        text.push_str(&format!("\n// The rest cannot be written as WIT: {error:#}\n"));
    } else if cut {
        text.push_str(&format!("\n// The rest is left out: over {WIT_BYTES_MAX} bytes.\n"));
    }
    text
}

/// `async func(name: type) -> type`.
pub(super) fn signature(resolve: &Resolve, function: &Function) -> String {
    let mut printer = Bounded::printer(SIGNATURE_BYTES_MAX);
    if function.kind.is_async() {
        printer.output.push_str("async ");
    }
    printer.output.push_str("func(");
    for (n, param) in function.params.iter().enumerate() {
        if n > 0 {
            printer.output.push_str(", ");
        }
        printer.output.ty(&param.name, TypeKind::Other);
        printer.output.push_str(": ");
        if printer.print_type_name(resolve, &param.ty).is_err() {
            printer.output.push_str("_");
        }
    }
    printer.output.push_str(")");
    if let Some(result) = &function.result {
        printer.output.push_str(" -> ");
        if printer.print_type_name(resolve, result).is_err() {
            printer.output.push_str("_");
        }
    }
    let cut = printer.output.left == 0;
    let text = String::from(printer.output.inner);
    if cut { text + " …" } else { text }
}
