//! All worlds of a process: made, found, reset, dropped.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::http::request::Parts;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use transaction_engine::clock::{AdjustableClock, Clock};
use transaction_engine::{Error as EngineError, RevisionNumber};

use super::{Ending, KeptEngines, MAIN, Start, World, WorldName, WorldRefusal, choice};
use crate::appliance::Appliance;
use crate::transport::{BoundListener, Scheme};

/// The time between two looks at what is due in worlds without timers of their own.
const SWEEP: Duration = Duration::from_secs(1);

/// How worlds are kept.
#[derive(Clone, Debug)]
pub struct WorldsOptions {
    /// The number of worlds that there may be in addition to `main`.
    pub most: usize,
    /// Whether clients that connect over loopback may control worlds without a login.
    pub open_control: bool,
    /// Whether `main` is forgotten with the process, so that a reset loses nothing that was to be
    /// kept.
    pub main_is_temporary: bool,
    /// The clock of `main`, where its time may be set; `None`: it is the machine's.
    pub clock: Option<Arc<AdjustableClock>>,
}

/// An appliance of `main`, and where it is reached.
pub struct Member {
    /// The appliance.
    pub appliance: Arc<Appliance>,
    place: Option<Place>,
}

/// Where an appliance is reached: at its first listener.
struct Place(Scheme, SocketAddr);

impl Place {
    fn url(&self, world: &World) -> String {
        let Self(scheme, address) = self;
        match world.is_main() && !address.ip().is_unspecified() {
            true => format!("{scheme}://{address}"),
            false if world.is_main() => format!("{scheme}://localhost:{}", address.port()),
            false => format!("{scheme}://{}.localhost:{}", world.name, address.port()),
        }
    }
}

impl Member {
    /// An appliance that is reached at these listeners.
    #[must_use]
    pub fn new(appliance: Arc<Appliance>, listeners: &[BoundListener]) -> Self {
        let place = listeners.first().map(|first| Place(first.scheme(), first.address()));
        Self { appliance, place }
    }
}

/// All worlds of a process.
pub struct Worlds {
    main: ArcSwap<World>,
    others: RwLock<HashMap<Arc<str>, Arc<World>>>,
    // Wakes what keeps the time of worlds that have no timers of their own.
    forked: Notify,
    /// Where each appliance is reached.
    places: Vec<Option<Place>>,
    /// What `main` goes back to, in the order of its appliances.
    seed: OnceLock<Vec<KeptEngines>>,
    pub(crate) options: WorldsOptions,
    /// Names those who are made without a name.
    named: AtomicU64,
    // Worlds are made, reset and dropped one after the other, so that a name is one world.
    changing: Mutex<()>,
}

/// The world that a request means, with the appliance of its listener.
pub(crate) struct Chosen {
    pub(crate) world: Arc<World>,
    pub(crate) appliance: Arc<Appliance>,
}

/// A world that is to be made.
pub(crate) struct NewWorld<'a> {
    /// `None`: it gets one.
    pub(crate) name: Option<WorldName>,
    /// The world to begin from.
    pub(crate) from: &'a str,
    /// A revision, by the number of an appliance, at which that one begins.
    pub(crate) at: Option<(usize, RevisionNumber)>,
}

/// Why a world is not made.
#[derive(Debug)]
pub(crate) enum NotMade {
    /// By the rules for worlds.
    Refused(WorldRefusal),
    /// An engine does not begin there.
    Engine(EngineError),
}

impl From<WorldRefusal> for NotMade {
    fn from(refusal: WorldRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<EngineError> for NotMade {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl Worlds {
    /// The worlds of a process that has these appliances.
    #[must_use]
    pub fn new(members: Vec<Member>, options: WorldsOptions) -> Self {
        let (appliances, places): (Vec<_>, Vec<_>) =
            members.into_iter().map(|Member { appliance, place }| (appliance, place)).unzip();
        let main = World::new((MAIN.into(), None), appliances, options.clock.clone());
        Self {
            main: ArcSwap::from_pointee(main),
            others: RwLock::default(),
            forked: Notify::new(),
            places,
            seed: OnceLock::new(),
            options,
            named: AtomicU64::new(0),
            changing: Mutex::default(),
        }
    }

    /// `main` as it is now is what it goes back to by a reset.
    ///
    /// # Errors
    /// An engine cannot be forked.
    pub fn keep_seed(&self) -> Result<(), EngineError> {
        let main = self.main();
        let kept =
            main.appliances.iter().map(|appliance| appliance.keep()).collect::<Result<_, _>>();
        // The first one stays.
        let _ = self.seed.set(kept?);
        Ok(())
    }

    /// Ends every world but the `main` that the process began with.
    pub fn end_all(&self) {
        let _one = self.changing.lock();
        let others = std::mem::take(&mut *self.others.write());
        others.values().for_each(|world| world.end(Ending::Dropped));
        let main = self.main();
        if main.from.is_some() {
            main.end(Ending::Dropped);
        }
    }

    // ===== finding =====

    /// The world that is always there.
    pub(crate) fn main(&self) -> Arc<World> {
        self.main.load_full()
    }

    /// The world of a name.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<World>, WorldRefusal> {
        if name == MAIN {
            return Ok(self.main());
        }
        let found = self.others.read().get(name).map(Arc::clone);
        found.ok_or_else(|| WorldRefusal::Unknown(name.to_owned()))
    }

    /// All of them, `main` first, the others by name.
    pub(crate) fn all(&self) -> Vec<Arc<World>> {
        let mut all: Vec<_> = self.others.read().values().map(Arc::clone).collect();
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        all.insert(0, self.main());
        all
    }

    /// The world that a request names, and its appliance of this number. `port` is the world whose
    /// own port the request arrived at.
    pub(crate) fn choose(
        &self,
        head: &Parts,
        port: Option<&str>,
        number: usize,
    ) -> Result<Chosen, WorldRefusal> {
        let world = match choice::named(head, port)? {
            None => self.main(),
            Some(name) => self.find(name)?,
        };
        let appliance = world.appliances.get(number).map(Arc::clone);
        // Every world has the appliances of `main`.
        let appliance = appliance.ok_or_else(|| WorldRefusal::Unknown(world.name.to_string()))?;
        Ok(Chosen { world, appliance })
    }

    /// Where each appliance of a world is reached by the name of the world.
    pub(crate) fn urls(&self, world: &World) -> Vec<(Arc<str>, Option<String>)> {
        let places = self.places.iter().map(|place| place.as_ref().map(|place| place.url(world)));
        let names = world.appliances.iter().map(|appliance| Arc::clone(&appliance.name));
        names.zip(places).collect()
    }

    /// Ends sessions and undoes unconfirmed commits at their time in the worlds that have no timers
    /// of their own, for as long as the future is polled. A request looks by itself, so this is for
    /// those who watch, and for what is held meanwhile.
    pub async fn keep_time(&self) {
        loop {
            let forked = self.forked.notified();
            if self.others.read().is_empty() && self.main().is_durable() {
                forked.await;
            }
            tokio::time::sleep(SWEEP).await;
            for world in self.all() {
                world.appliances.iter().for_each(|appliance| appliance.settle());
            }
        }
    }

    // ===== changing =====

    /// Makes a world. Costs a few pointers for each appliance, unless it begins in the past.
    pub(crate) fn make(&self, new: NewWorld<'_>) -> Result<Arc<World>, NotMade> {
        let _one = self.changing.lock();
        let origin = self.find(new.from)?;
        let count = self.others.read().len();
        if count >= self.options.most {
            return Err(WorldRefusal::Full(count).into());
        }
        let name = match new.name {
            Some(name) => name.shared(),
            None => self.free_name(),
        };
        if self.others.read().contains_key(&name) {
            return Err(WorldRefusal::Taken(name).into());
        }
        let start = |number: usize| match new.at {
            Some((place, revision)) if place == number => Start::At(revision),
            _ => Start::Running,
        };
        let clock = origin.clock.as_deref().map(AdjustableClock::copied).unwrap_or_default();
        let world = forked(&origin, Arc::clone(&name), start, clock)?;
        self.others.write().insert(name, Arc::clone(&world));
        self.forked.notify_one();
        Ok(world)
    }

    fn free_name(&self) -> Arc<str> {
        loop {
            let number = self.named.fetch_add(1, Ordering::Relaxed) + 1;
            let name = format!("w{number}");
            if !self.others.read().contains_key(&*name) {
                return name.into();
            }
        }
    }

    /// Puts a world back to where it began. What was under way in it is over.
    pub(crate) fn reset(&self, name: &str) -> Result<Arc<World>, NotMade> {
        let _one = self.changing.lock();
        let old = self.find(name)?;
        let clock = old.began.copied();
        let world = match (old.is_main(), self.seed.get()) {
            (false, _) => forked(&old, Arc::clone(&old.name), |_| Start::Origin, clock)?,
            (true, Some(seed)) if self.options.main_is_temporary => {
                // There are as many as `main` has appliances.
                let start = |number| seed.get(number).map_or(Start::Running, Start::Kept);
                forked(&old, MAIN.into(), start, clock)?
            }
            (true, _) => return Err(WorldRefusal::Durable.into()),
        };
        match old.is_main() {
            true => self.main.store(Arc::clone(&world)),
            false => _ = self.others.write().insert(Arc::clone(&old.name), Arc::clone(&world)),
        }
        self.forked.notify_one();
        end_aside(old, Ending::Reset);
        Ok(world)
    }

    /// Drops a world.
    pub(crate) fn drop_world(&self, name: &str) -> Result<(), WorldRefusal> {
        let _one = self.changing.lock();
        if name == MAIN {
            return Err(WorldRefusal::Main);
        }
        let found = self.others.write().remove(name);
        let world = found.ok_or_else(|| WorldRefusal::Unknown(name.to_owned()))?;
        end_aside(world, Ending::Dropped);
        Ok(())
    }
}

// What has a store writes it down once more, which the answer does not wait for.
fn end_aside(world: Arc<World>, ending: Ending) {
    match world.is_durable() {
        false => world.end(ending),
        true => _ = std::thread::spawn(move || world.end(ending)),
    }
}

fn forked<'k>(
    origin: &World,
    name: Arc<str>,
    start: impl Fn(usize) -> Start<'k>,
    clock: AdjustableClock,
) -> Result<Arc<World>, EngineError> {
    let clock = Arc::new(clock);
    let fork = |(number, appliance): (usize, &Arc<Appliance>)| {
        let clock = Arc::clone(&clock) as Arc<dyn Clock>;
        appliance.fork(start(number), clock).map(Arc::new)
    };
    let forks = origin.appliances.iter().enumerate().map(fork);
    let appliances = forks.collect::<Result<Vec<_>, _>>()?;
    let from = Some(match &origin.from {
        // A reset leaves it where it comes from.
        Some(from) if *origin.name == *name => Arc::clone(from),
        _ => Arc::clone(&origin.name),
    });
    Ok(Arc::new(World::new((name, from), appliances, Some(clock))))
}
