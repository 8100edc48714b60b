//! Which version of which bundle a run is started from.

use wfhost_workflow::RunId;

use super::{Catalogue, Deployed, DeployedVersion, DeployedWorkflow, Refused};

/// A workflow that was found.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'c> {
    /// Of which bundle.
    pub bundle: &'c Deployed,
    /// Of which version.
    pub version: &'c DeployedVersion,
    /// The workflow.
    pub workflow: &'c DeployedWorkflow,
}

/// Nothing that is deployed goes by that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No bundle has such a workflow.
    #[error("no deployed bundle has a workflow `{workflow}`{}", known(.near))]
    Workflow {
        /// As it was named.
        workflow: String,
        /// A name that is like it.
        near: Option<String>,
    },
    /// The version that was named has none.
    #[error("version {version} of bundle `{bundle}` has no workflow `{workflow}`")]
    InVersion {
        /// The bundle.
        bundle: String,
        /// The version.
        version: String,
        /// As it was named.
        workflow: String,
    },
    /// There is no such version.
    #[error(transparent)]
    Version(Refused),
}

fn known(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!(": {near}")).unwrap_or_default()
}

impl Catalogue {
    /// What a run is started from: `name`, or `bundle/name`, of the version that is named, or of
    /// the one that the run is to get. The answer for a run is the same until something is deployed.
    ///
    /// # Errors
    /// [`NotFound`].
    pub fn resolve(
        &self,
        name: &str,
        version: Option<&str>,
        run: RunId,
    ) -> Result<Resolved<'_>, NotFound> {
        let (bundle, workflow) = match name.split_once('/') {
            Some((bundle, workflow)) => (self.bundle(bundle), workflow),
            None => (self.owner_for(name, version), name),
        };
        let not_found = || {
            let near = wfhost_workflow::definition::did_you_mean(name, self.workflow_names());
            NotFound::Workflow { workflow: name.chars().take(80).collect(), near }
        };
        let bundle = bundle.ok_or_else(not_found)?;
        let Some(version) = version else {
            let version = bundle.version_for(workflow, run).ok_or_else(not_found)?;
            let workflow = version.detail.workflow(workflow).ok_or_else(not_found)?;
            return Ok(Resolved { bundle, version, workflow });
        };
        let version = bundle.named(version).map_err(NotFound::Version)?;
        let found = version.detail.workflow(workflow).ok_or_else(|| NotFound::InVersion {
            bundle: bundle.name.clone(),
            version: version.version.to_string(),
            workflow: workflow.chars().take(80).collect(),
        });
        found.map(|workflow| Resolved { bundle, version, workflow })
    }

    /// An older version may have had a workflow that the active one has not.
    fn owner_for(&self, workflow: &str, version: Option<&str>) -> Option<&Deployed> {
        let has = |bundle: &&Deployed| {
            let named = version.and_then(|version| bundle.named(version).ok());
            named.is_some_and(|version| version.detail.workflow(workflow).is_some())
        };
        self.owner_of(workflow).or_else(|| self.bundles().find(has))
    }

    /// The names of workflows that new runs can be started from.
    pub fn workflow_names(&self) -> impl Iterator<Item = &str> + '_ {
        self.bundles().flat_map(|bundle| {
            let served = bundle.served();
            served.flat_map(|version| version.detail.workflows.iter().map(|it| &*it.name))
        })
    }
}

impl Deployed {
    /// The version that a run gets of a workflow: the tried one, if the run belongs to its share
    /// or only that one has the workflow, else the active one.
    fn version_for(&self, workflow: &str, run: RunId) -> Option<&DeployedVersion> {
        let has = |version: &&DeployedVersion| version.detail.workflow(workflow).is_some();
        let active = self.version(self.active).filter(has);
        let tried = self.canary.as_ref().and_then(|canary| {
            let version = self.version(canary.version).filter(has)?;
            (active.is_none() || canary.ask.share.holds(run)).then_some(version)
        });
        tried.or(active)
    }
}
