//! A delivery with a configuration that tests set, and waits for conditions.

use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use delivery::{Configuration, Delivery, Event, EventKind, Figures, Mode, Parts, Probe};
use delivery::{Settings, Source, Wanted};
use serde_json::Value;
use tokio::task::JoinHandle;

/// A configuration that can be changed.
#[derive(Default)]
pub(crate) struct Given(pub(crate) Mutex<Configuration>);

impl Source for Given {
    fn configuration(&self) -> Configuration {
        self.0.lock().unwrap().clone()
    }
}

struct NoProbe;

impl Probe for NoProbe {
    fn measure(&self) -> Figures {
        Figures::default()
    }
}

/// A delivery that runs.
pub(crate) struct Site {
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) given: Arc<Given>,
    task: JoinHandle<()>,
}

pub(crate) fn settings() -> Settings {
    Settings {
        mode: Mode::Loopback,
        retry: Duration::from_millis(20),
        timeout: Duration::from_secs(10),
        ..Settings::default()
    }
}

pub(crate) fn start(settings: Settings, configuration: Configuration) -> Site {
    start_in(None, settings, configuration)
}

pub(crate) fn start_in(
    place: Option<&Path>,
    settings: Settings,
    configuration: Configuration,
) -> Site {
    let given = Arc::new(Given(Mutex::new(configuration)));
    let delivery = Arc::new(Delivery::new(Parts {
        appliance: "sps-6.2".to_owned(),
        settings,
        place: place.map(Path::to_owned),
        source: Arc::clone(&given) as _,
        clock: Arc::new(|| 1_600_000_000_000_000),
        probe: Arc::new(NoProbe),
    }));
    let task = tokio::spawn(Arc::clone(&delivery).run());
    Site { delivery, given, task }
}

impl Site {
    pub(crate) fn report(&self, text: &str) {
        self.delivery.report(Event::new(self.delivery.now(), EventKind::Commit, text));
    }

    /// The messages in a state, as soon as there are that many.
    pub(crate) async fn messages(&self, state: &str, count: usize) -> Vec<Value> {
        let wanted = Wanted { state: Some(state.to_owned()), ..Wanted::default() };
        self.until(|| {
            let found = self.delivery.outbox(&wanted);
            (found.len() >= count).then_some(found)
        })
        .await
    }

    /// The first message whose last attempt failed, and which waits.
    pub(crate) async fn failing(&self) -> String {
        let wanted = Wanted { state: Some("waiting".to_owned()), ..Wanted::default() };
        self.until(|| {
            let found = self.delivery.outbox(&wanted);
            found.iter().find_map(|one| one["error"].as_str().map(str::to_owned))
        })
        .await
    }

    pub(crate) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(found) = look() {
                return found;
            }
            let all = self.delivery.outbox(&Wanted::default());
            assert!(tokio::time::Instant::now() < deadline, "{all:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// As a kill ends it: nothing is written any more.
    pub(crate) async fn kill(self) {
        self.task.abort();
        drop(self.task.await);
    }

    /// As the daemon ends it.
    pub(crate) async fn stop(self) {
        self.delivery.stop();
        self.task.await.unwrap();
    }
}

/// Reads lines until the other side goes.
pub(crate) fn drain(mut stream: impl Read) {
    let mut bytes = [0; 1024];
    while matches!(stream.read(&mut bytes), Ok(n) if n > 0) {}
}
