//! The second reading: the store itself, after the last process has ended.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use wfhost_checkpoint::{DataFolder, OpenOptions};
use wfhost_workflow::run::{Event, Record, StepOutput};
use wfhost_workflow::{Definition, Digest, Json, Revision, RunId, StepId, TaskId};

use crate::failure::{Doing as _, Failure, Result};
use crate::history::{Happened, Journal, Task};

/// What `runs events` leaves out.
const SHOWN_BYTES_MAX: usize = 4096;

/// Every journal in a data folder that nobody holds.
pub(crate) fn read(data: &Path) -> Result<BTreeMap<RunId, Journal>> {
    let folder = DataFolder::open(data, &OpenOptions::default()).doing("open the store again")?;
    let mut definitions: HashMap<Digest, Definition> = HashMap::new();
    let mut journals = BTreeMap::new();
    for run in folder.store.find("", usize::MAX).doing("list the stored runs")? {
        let summary = folder.store.summary(run).doing("read a summary")?;
        let summary = summary.doing(format_args!("read the summary of run {run}"))?;
        if let Entry::Vacant(place) = definitions.entry(summary.definition) {
            let text = folder.content.get(&summary.definition).doing("read a definition")?;
            let text = String::from_utf8_lossy(&text).into_owned();
            let definition = Definition::parse(&text)
                .map_err(|problems| Failure::new(problems.render("stored", &text)))?;
            place.insert(definition);
        }
        let records = folder.store.journal(run, Revision(0), usize::MAX);
        let records = records.doing(format_args!("read the journal of run {run}"))?;
        let definition = &definitions[&summary.definition];
        let journal = records.into_iter().flat_map(|record| of_record(record, definition));
        journals.insert(run, journal.collect());
    }
    Ok(journals)
}

fn of_record(record: Record, definition: &Definition) -> Journal {
    let Record { revision, events, .. } = record;
    let step_name = |step: StepId| {
        let step = definition.steps.get(step.position());
        step.map_or_else(|| format!("{step:?}"), |step| step.name.to_string())
    };
    let name = |task: TaskId| Task { step: step_name(task.step), index: task.index };
    let whole = |step: StepId| Task { step: step_name(step), index: None };
    let event = |event: Event| {
        let mut happened = Happened {
            revision: revision.0,
            name: String::new(),
            task: None,
            attempt: None,
            value: None,
            again: false,
        };
        let (what, task, attempt, value) = match event {
            Event::Started(started) => ("started", None, None, Some(started.input)),
            Event::StepSkipped { step } => ("step-skipped", Some(whole(step)), None, None),
            Event::StepCompleted { step, output } => {
                let output = match output {
                    StepOutput::Value(output) => Some(output),
                    StepOutput::Parts => None,
                };
                ("step-completed", Some(whole(step)), None, output)
            }
            Event::MapOpened { step, .. } => ("map-opened", Some(whole(step)), None, None),
            Event::AttemptScheduled { task, attempt } => {
                ("attempt-scheduled", Some(name(task)), Some(attempt.0), None)
            }
            Event::AttemptSucceeded { task, attempt, output, .. } => {
                ("attempt-succeeded", Some(name(task)), Some(attempt.0), Some(output))
            }
            Event::AttemptFailed { task, attempt, retry_at, .. } => {
                happened.again = retry_at.is_some();
                ("attempt-failed", Some(name(task)), Some(attempt.0), None)
            }
            Event::AttemptLost { task, attempt, .. } => {
                ("attempt-lost", Some(name(task)), Some(attempt.0), None)
            }
            Event::StepQuarantined { task, attempt, .. } => {
                ("step-quarantined", Some(name(task)), Some(attempt.0), None)
            }
            Event::StepReleased { task } => ("step-released", Some(name(task)), None, None),
            Event::RunRetried => ("run-retried", None, None, None),
            // Nobody upgrades here: names are those of the one definition.
            Event::Upgraded(_) => ("upgraded", None, None, None),
            Event::Succeeded { output } => ("succeeded", None, None, Some(output)),
            Event::Failed { task, .. } => ("failed", task.map(name), None, None),
            Event::Cancelled { .. } => ("cancelled", None, None, None),
        };
        what.clone_into(&mut happened.name);
        (happened.task, happened.attempt) = (task, attempt);
        happened.value = value.filter(is_shown).map(|value| value.to_value().to_string());
        happened
    };
    events.into_iter().map(event).collect()
}

fn is_shown(value: &Json) -> bool {
    value.len_bytes() <= SHOWN_BYTES_MAX
}
