//! The plugin host of this process, and the async threads that it runs on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wfhost_plugin::compile::{CompileOptions, CompilerProgram};
use wfhost_plugin::{HostOptions, Plugin, PluginHost};
use wfhost_workflow::{Contract, Limits};

use crate::cache_folder;
use crate::error::{CommandError, Result};
use crate::workflow_file::Component;

/// Shared by what checks components and what runs them, so that each is compiled once.
#[derive(Clone)]
pub(crate) struct Engine {
    runtime: Arc<tokio::runtime::Runtime>,
    host: PluginHost,
}

impl Engine {
    /// Room for `slots` attempts at once.
    pub(crate) fn new(slots: u32) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("steps")
            .enable_all()
            .build()
            .map_err(|error| CommandError::store(error).context("could not start threads"))?;
        let options = HostOptions { slots, compile: compile_options(), ..HostOptions::default() };
        let host = PluginHost::new(options).map_err(|error| {
            CommandError::store(error).context("could not start the plugin host")
        })?;
        Ok(Self { runtime: Arc::new(runtime), host })
    }

    pub(crate) const fn host(&self) -> &PluginHost {
        &self.host
    }

    pub(crate) fn runtime(&self) -> &tokio::runtime::Runtime {
        &self.runtime
    }

    /// Makes a component ready, and asks what it offers. Errors are for people.
    pub(crate) fn load(
        &self,
        component: &Component,
    ) -> std::result::Result<(Arc<Plugin>, Arc<Vec<Contract>>), String> {
        self.runtime.block_on(async {
            let shape = self.host.shape(&Limits::default(), false);
            let plugin = self
                .host
                .load(Arc::clone(&component.bytes), component.digest, shape)
                .await
                .map_err(|error| error.to_string())?;
            let contracts = self
                .host
                .contracts(&plugin)
                .await
                .map_err(|failure| format!("it does not describe itself: {failure}"))?;
            Ok((plugin, contracts))
        })
    }
}

/// As many steps at once as there are processors.
pub(crate) fn default_slots() -> u32 {
    HostOptions::default().slots
}

/// Components are compiled by this very program, in a process of its own.
fn compile_options() -> CompileOptions {
    CompileOptions {
        program: own_program().map(|program| CompilerProgram {
            program,
            arguments: vec![crate::command::COMPILE_COMPONENT.into()],
        }),
        cache: cache_folder::options(),
        ..CompileOptions::default()
    }
}

fn own_program() -> Option<PathBuf> {
    // Still this program when its file has been replaced.
    let itself = Path::new("/proc/self/exe");
    if itself.exists() { Some(itself.to_path_buf()) } else { std::env::current_exe().ok() }
}
