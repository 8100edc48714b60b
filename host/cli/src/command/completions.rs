//! `wfhost completions SHELL`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Context;
use crate::args::Cli;
use crate::error::Result;
use crate::exit_code::ExitCode;

/// Write a shell's completion script
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wfhost completions bash > ~/.local/share/bash-completion/completions/wfhost
  wfhost completions zsh > ~/.zfunc/_wfhost
  wfhost completions fish > ~/.config/fish/completions/wfhost.fish")]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn carry_out(self, context: &Context) -> Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "wfhost", &mut script);
        context.output.data(String::from_utf8_lossy(&script).trim_end())?;
        Ok(ExitCode::Done)
    }
}
