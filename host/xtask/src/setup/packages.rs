//! The machine's package manager, as far as we may use it.

use std::process::Command;

use crate::failure::{Failure, Result};
use crate::{place, process, say};

/// A package manager that we know how to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    Apt,
    Dnf,
    Pacman,
    Brew,
}

/// What we are on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    Root,
    SudoWithoutPassword,
    None,
}

impl Manager {
    /// The one of this machine.
    pub(crate) fn find() -> Option<Self> {
        [Self::Apt, Self::Dnf, Self::Pacman, Self::Brew]
            .into_iter()
            .find(|manager| place::on_path(manager.program()).is_some())
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Apt => "apt-get",
            Self::Dnf => "dnf",
            Self::Pacman => "pacman",
            Self::Brew => "brew",
        }
    }

    /// The commands that install `packages` without a question, in order, as root would type
    /// them. The first of two only refreshes the lists.
    fn commands(self, packages: &[&str]) -> Vec<Vec<String>> {
        // No package may be removed to make room: what is on the machine is the user's.
        let lines: &[&str] = match self {
            Self::Apt => &[
                "apt-get -q -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=300 update",
                "apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends --no-remove",
            ],
            Self::Dnf => &["dnf install -y"],
            Self::Pacman => &["pacman -S --needed --noconfirm"],
            Self::Brew => &["brew install"],
        };
        let mut commands: Vec<Vec<String>> =
            lines.iter().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
        if let Some(install) = commands.last_mut() {
            install.extend(packages.iter().map(|&package| package.to_owned()));
        }
        commands
    }

    /// What a person would type.
    pub(crate) fn by_hand(self, packages: &[&str]) -> String {
        let packages = packages.join(" ");
        match self {
            Self::Apt => {
                format!("sudo apt-get update && sudo apt-get install --no-remove {packages}")
            }
            Self::Dnf => format!("sudo dnf install {packages}"),
            Self::Pacman => format!("sudo pacman -S {packages}"),
            Self::Brew => format!("brew install {packages}"),
        }
    }
}

/// Installs `packages`, after saying so and why; where that is not allowed, the failure holds the
/// command to run by hand.
pub(crate) fn install(manager: Manager, packages: &[&str], why: &str) -> Result<()> {
    let by_hand = format!("run: {}", manager.by_hand(packages));
    let rights = match manager {
        // It refuses to run as root and asks for what it needs itself.
        Manager::Brew => Rights::Root,
        Manager::Apt | Manager::Dnf | Manager::Pacman => rights(),
    };
    if rights == Rights::None {
        return Err(Failure::new(format!(
            "{why}, and installing it needs root (no `sudo` without a password)"
        ))
        .hint(by_hand));
    }
    say::step(&format!("installing {}: {why}", packages.join(" ")));
    let commands = manager.commands(packages);
    let last = commands.len() - 1;
    for (position, words) in commands.iter().enumerate() {
        let done = process::run_shown(&mut with_rights(words, rights));
        // Old package lists may be good enough, so only the installation must succeed.
        match done {
            Err(failure) if position == last => {
                return Err(Failure::new(format!("{why}, and {failure}")).hint(by_hand));
            }
            Err(failure) => say::note(&failure.to_string()),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// A command with the rights with which packages are installed.
pub(crate) fn as_root(words: &[&str]) -> Command {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    with_rights(&words, rights())
}

fn rights() -> Rights {
    let id = process::capture(process::program("id").arg("-u"));
    if id.is_ok_and(|id| id.trim() == "0") {
        Rights::Root
    } else if process::succeeds(process::program("sudo").args(["-n", "true"])) {
        Rights::SudoWithoutPassword
    } else {
        Rights::None
    }
}

fn with_rights(words: &[String], rights: Rights) -> Command {
    const QUIET: (&str, &str) = ("DEBIAN_FRONTEND", "noninteractive");
    match rights {
        Rights::Root | Rights::None => {
            let mut command = process::program(&words[0]);
            command.args(&words[1..]).env(QUIET.0, QUIET.1);
            command
        }
        // `sudo` clears the environment.
        Rights::SudoWithoutPassword => {
            let mut command = process::program("sudo");
            command.args(["-n", "env", &format!("{}={}", QUIET.0, QUIET.1)]).args(words);
            command
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_refreshes_first_and_removes_nothing() {
        let commands = Manager::Apt.commands(&["libzmq3-dev"]);
        assert_eq!(commands.len(), 2);
        assert_eq!(commands[0].last().map(String::as_str), Some("update"));
        assert!(commands[1].contains(&"--no-remove".to_owned()));
        assert!(commands[1].contains(&"-y".to_owned()));
        assert_eq!(commands[1].last().map(String::as_str), Some("libzmq3-dev"));
    }

    #[test]
    fn sudo_never_asks_and_keeps_the_installer_quiet() {
        let words = ["apt-get".to_owned(), "update".to_owned()];
        let command = with_rights(&words, Rights::SudoWithoutPassword);
        assert_eq!(
            process::shown(&command),
            "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update"
        );
        let command = with_rights(&words, Rights::Root);
        assert_eq!(process::shown(&command), "DEBIAN_FRONTEND=noninteractive apt-get update");
    }
}
