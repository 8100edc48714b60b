//! A cable that is cut, in both directions or in one alone, and mended.

use std::time::Duration;

use super::Row;
use crate::clock;
use crate::cluster::{Cluster, Load, ServeOptions, Watcher, WorkerOptions};
use crate::failure::{Doing as _, Result};
use crate::net::{Net, Shape, Way};
use crate::report::{Outcome, Times};
use crate::tools::Tools;
use crate::work::{Job, Shape as Steps};

pub(super) const ROW: Row = Row {
    name: "cut",
    fault: "a cut between coordinator and one worker, 5 s and 60 s, each direction alone and both",
    must_hold: "both go on; late results count once or are refused",
    root: true,
    carry_out,
};

/// Some are under way at every cut, and some end within it.
const STEP_MS: u64 = 700;

const LIMIT: Duration = Duration::from_secs(90);

/// For the other worker to begin something in a cut: a lease, and what is under way.
const GOES_ON: Duration = Duration::from_secs(15);

fn carry_out(tools: &Tools) -> Result<Outcome> {
    let times = tools.times(1, 1);
    let net = Net::new(tools.seed)?;
    let mut cluster = Cluster::new(tools)?;
    let host = Some(net.host().to_owned());
    cluster.serve(&ServeOptions { host, ..ServeOptions::default() })?;
    let namespace = Some(net.namespace().to_owned());
    let cut_off = WorkerOptions { namespace, ..WorkerOptions::slots(4) };
    let name = cluster.worker("cut", &cut_off)?;
    let other = cluster.worker("other", &WorkerOptions::slots(4))?;
    let handle = cluster.handle()?;
    let job = |number| Job::new(Steps::Diamond { wide: 4 }, STEP_MS, number);
    // What one worker can do alone: nothing may pile up while the other is cut off.
    let load = Load::begin(&handle, 1, Duration::from_millis(1400), job)?;
    let watcher = Watcher::begin(&handle);
    let spans = tools.either([5, 60], [2, 6]).map(Duration::from_secs);
    let ways: [&[Way]; 3] = [&[Way::In], &[Way::Out], &[Way::In, Way::Out]];
    let (mut back, mut cuts, mut went_on, mut during) = (Times::default(), 0, 0, 0);
    for _ in 0..times {
        for (way, span) in ways.iter().flat_map(|way| spans.map(|span| (way, span))) {
            cluster.apart(Some(&name));
            let here = cluster.executions_of(&other)?.len();
            let ended = |cluster: &Cluster<'_>| -> Result<usize> {
                let mine = cluster.executions_of(&name)?;
                Ok(mine.iter().filter(|it| it.end_ns.is_some()).count())
            };
            let before = ended(&cluster)?;
            way.iter().for_each(|way| net.shape(*way, Shape::CUT));
            std::thread::sleep(span);
            // While the cable is still cut.
            let more = || cluster.executions_of(&other).is_ok_and(|it| it.len() > here);
            went_on += usize::from(clock::until(GOES_ON, || more().then_some(())).is_some());
            way.iter().for_each(|way| net.shape(*way, Shape::default()));
            let mended = clock::now();
            cuts += 1;
            during += ended(&cluster)? - before;
            // It takes steps again.
            let begun = cluster.executions_of(&name)?.len();
            let again = || cluster.executions_of(&name).is_ok_and(|it| it.len() > begun);
            clock::until(LIMIT, || again().then_some(())).doing("wait for its next step")?;
            back.add(mended.elapsed());
        }
    }
    let mut outcome = Outcome::new(times);
    outcome.counted("cuts", cuts);
    outcome.counted("steps that ended at the worker while it was cut off", during);
    outcome.counted("runs started under load", load.end()?);
    watcher.end()?;
    outcome.claim("the others go on", went_on == cuts, format!("{went_on} of {cuts}"));
    outcome.claim("steps end while it is cut off", during > 0, "");
    outcome.measured("from the end of a cut to the worker's next step", back);
    let mut late = 0;
    cluster.client()?.worker_when(&name, LIMIT, |worker| {
        late = worker.map_or(0, |worker| worker.counts.late_refused);
        worker.is_some()
    })?;
    outcome.counted("late ends refused", late);
    cluster.finish(LIMIT)?.add_to(&mut outcome);
    Ok(outcome)
}
