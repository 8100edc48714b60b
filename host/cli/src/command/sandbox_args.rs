//! Options of commands that run plugins: what their sandboxes may use.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use wfhost_plugin::CoreDumps;
use wfhost_workflow::definition::did_you_mean;
use wfhost_workflow::{Limit, LimitSettings, OperatorLimits};

use crate::config::Config;

/// Options about sandboxes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SandboxArgs {
    /// Hold every step to this, whatever the workflow says, such as memory=64MiB; see `wfhost limits`
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_limit)]
    limit: Vec<(Limit, u64)>,
    /// Write a core dump of a guest that traps to this folder: all its memory, secrets included
    #[arg(long, value_name = "DIR")]
    core_dump: Option<PathBuf>,
}

impl SandboxArgs {
    /// What the operator permits: the configuration file's limits and these.
    pub(crate) fn operator(&self, config: &Config) -> OperatorLimits {
        let mut flags = LimitSettings::default();
        for (limit, value) in &self.limit {
            flags.set(*limit, *value);
        }
        OperatorLimits { config: config.limits, flags }
    }

    pub(crate) fn core_dumps(&self) -> Option<CoreDumps> {
        let folder = self.core_dump.clone()?;
        Some(CoreDumps { folder: std::path::absolute(&folder).unwrap_or(folder) })
    }

    /// The same for another process of this program.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        for (limit, value) in &self.limit {
            let text = format!("{}={}", limit.name(), limit.show(*value));
            arguments.extend(["--limit".into(), text.into()]);
        }
        if let Some(dumps) = self.core_dumps() {
            arguments.extend(["--core-dump".into(), dumps.folder.into()]);
        }
        arguments
    }

    /// Whether anything is asked for that only the process that runs the steps can do.
    pub(crate) fn is_set(&self) -> bool {
        !self.limit.is_empty() || self.core_dump.is_some()
    }
}

fn parse_limit(argument: &str) -> Result<(Limit, u64), String> {
    let (name, value) = argument.split_once('=').ok_or("expected NAME=VALUE")?;
    let limit: Limit = name.parse().map_err(|unknown| {
        let hint = did_you_mean(name, Limit::ALL.map(Limit::name));
        hint.map_or_else(|| format!("{unknown}"), |hint| format!("{unknown}: {hint}"))
    })?;
    let value = limit.parse(value).map_err(|error| error.to_string())?;
    Ok((limit, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_named_and_in_its_unit() {
        assert_eq!(parse_limit("memory=64MiB"), Ok((Limit::Memory, 64 << 20)));
        let refused = |argument, part: &str| {
            let error = parse_limit(argument).unwrap_err();
            assert!(error.contains(part), "{argument}: {error}");
        };
        refused("memory", "NAME=VALUE");
        refused("memry=1", "did you mean `memory`?");
        refused("memory=lots", "must be a size");
    }

    #[test]
    fn another_process_is_told_the_same() {
        let limit = vec![(Limit::Memory, 64 << 20), (Limit::CpuTime, 90_500)];
        let args = SandboxArgs { limit: limit.clone(), core_dump: Some("/tmp/x".into()) };
        let told = args.arguments();
        let [one, first, other, second, dumps, folder] = &told[..] else { panic!("{told:?}") };
        assert_eq!((one, other), (&OsString::from("--limit"), &OsString::from("--limit")));
        let read: Vec<_> = [first, second].map(|it| parse_limit(it.to_str().unwrap())).into();
        assert_eq!(read, limit.into_iter().map(Ok).collect::<Vec<_>>());
        assert_eq!((dumps.to_str(), folder.to_str()), (Some("--core-dump"), Some("/tmp/x")));
    }

    #[test]
    fn of_several_the_lowest_holds() {
        let mut config = Config::default();
        config.limits.set(Limit::Handles, 7);
        let limit = vec![(Limit::Handles, 9), (Limit::Handles, 8)];
        let operator = SandboxArgs { limit, core_dump: None }.operator(&config);
        assert_eq!(operator.flags.get(Limit::Handles), Some(8));
        assert_eq!(operator.of(Limit::Handles).unwrap().0, 7);
    }
}
