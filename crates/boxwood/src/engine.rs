//! Opens the engine of one appliance, with what its dialect has to say to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catalog::Catalog;
use front_end::transport::{CertificateSlot, TlsError};
use front_end::{Blueprint, BlueprintError, Ground, Head};
use transaction_engine::clock::Clock;
use transaction_engine::secrets::{KeyError, Sealer};
use transaction_engine::store::{CheckpointDir, MemStore, Store, StoreError};
use transaction_engine::{Engine, HistoryRules, Options};

use crate::administrator;
use crate::appliance;
use crate::certificate::{self, CertificateError, Source};
use crate::data_dir::{DataDir, DataDirError, Home};
use crate::settings::{ApplianceSettings, Scheme, Settings};

/// Why the configuration of an appliance cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The catalog names an unknown dialect, or the dialect cannot read what it was given.
    #[error(transparent)]
    Dialect(#[from] BlueprintError),
    /// The configuration could not be opened or brought up to the catalog.
    #[error("the configuration cannot be opened: {0}")]
    Engine(#[from] transaction_engine::Error),
    /// The certificate that is kept in files cannot be served.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// No certificate could be made for the configuration.
    #[error("no certificate could be made: {0}")]
    Factory(#[from] TlsError),
}

impl From<KeyError> for OpenError {
    fn from(error: KeyError) -> Self {
        Self::DataDir(error.into())
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::DataDir(error.into())
    }
}

/// An appliance to be opened: what the settings and its catalog say of it.
pub struct Opening<'s> {
    /// All settings.
    pub settings: &'s Settings,
    /// Those of the appliance.
    pub own: &'s ApplianceSettings,
    /// What may stand where.
    pub catalog: Arc<Catalog>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// An opened configuration, and what makes an appliance of it.
pub struct Opened {
    /// The configuration.
    pub engine: Engine,
    /// The dialect to be.
    pub blueprint: Blueprint,
    /// What listeners show.
    pub certificate: Arc<CertificateSlot>,
    /// Where that comes from; `None` where no listener shows one.
    pub source: Option<Source>,
    /// The appliance's folder; `None` where nothing is kept.
    pub folder: Option<PathBuf>,
}

/// Where an appliance's engines keep their revisions.
enum Medium {
    /// In a data directory.
    Kept(Home),
    /// Nowhere.
    Memory,
}

/// Where one engine keeps its revisions and its checkpoints.
type Place = (Box<dyn Store>, Option<CheckpointDir>);

impl Medium {
    /// That of a head other than the running one.
    fn head(&self, name: &str) -> Result<Place, OpenError> {
        let Self::Kept(home) = self else { return Ok((Box::new(MemStore::new()), None)) };
        let (store, checkpoints) = home.head(name)?;
        Ok((Box::new(store), Some(checkpoints)))
    }

    /// That of the running head.
    fn running(self) -> Result<Place, OpenError> {
        let Self::Kept(home) = self else { return Ok((Box::new(MemStore::new()), None)) };
        let checkpoints = home.checkpoints()?;
        Ok((Box::new(home.into_store()), Some(checkpoints)))
    }

    fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Kept(home) => Some(home.folder().to_owned()),
            Self::Memory => None,
        }
    }
}

impl Opening<'_> {
    /// Opens the configuration in its place in a data directory.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(&self, data: &DataDir, home: Home) -> Result<Opened, OpenError> {
        let (name, folder) = (home.kept_name(), home.folder().to_owned());
        let sealer = home.key_scope().narrow(data.sealer(self.settings)?);
        let mut opened = self.open_on(Medium::Kept(home), sealer)?;
        name.keep()?;
        let Opened { engine, blueprint, certificate: slot, source, .. } = &mut opened;
        let https = self.own.listen.iter().any(|url| url.scheme == Scheme::Https);
        // A catalog need not have a place for the server's certificate. One that the configuration
        // names and that cannot be served is not hidden by showing something else.
        if https && !slot.is_filled() && !blueprint.names_certificate(&engine.running().tree) {
            certificate::keep(
                &folder,
                &self.hosts(),
                self.named_hosts(),
                engine.clock().now(),
                slot,
            )?;
            *source = Some(Source::Own(folder));
        }
        if !https {
            *source = None;
        }
        Ok(opened)
    }

    /// A fresh configuration that is kept nowhere: by its rules an import is tried.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn fresh(&self, sealer: Sealer) -> Result<Engine, OpenError> {
        Ok(self.open_on(Medium::Memory, sealer)?.engine)
    }

    fn open_on(&self, medium: Medium, sealer: Sealer) -> Result<Opened, OpenError> {
        let sealer = Arc::new(sealer);
        let certificate = Arc::new(match &self.settings.tls {
            Some(files) => certificate::from_files(&files.certificate, &files.private_key)?,
            None => CertificateSlot::default(),
        });
        let folder = medium.folder();
        let ground = self.ground(&sealer, &certificate, folder.clone());
        let mut blueprint = front_end::blueprint(ground, self.own.dialect.clone())?;
        let mut heads = Vec::new();
        for name in blueprint.heads() {
            let options = self.options(medium.head(name)?, &sealer);
            // A default that is made, such as a certificate, is made for the running head alone.
            let engine = Engine::open(options, &mut |_, _| None)?;
            log_opened(&engine, name);
            heads.push(Head { name, engine: Arc::new(engine) });
        }
        let mut options = self.options(medium.running()?, &sealer);
        options.history.message_required = blueprint.message_rule();
        options.appliers = blueprint.appliers();
        let engine =
            Engine::open(options, &mut |collection, name| blueprint.generate(collection, name));
        if let Some(failure) = blueprint.failure() {
            return Err(failure.into());
        }
        let engine = engine?;
        log_opened(&engine, "running");
        blueprint.take_heads(heads);
        let source = match &self.settings.tls {
            Some(files) => Source::Files(files.certificate.clone(), files.private_key.clone()),
            None => Source::Configuration,
        };
        Ok(Opened { engine, blueprint, certificate, source: Some(source), folder })
    }

    fn ground(
        &self,
        sealer: &Arc<Sealer>,
        certificate: &Arc<CertificateSlot>,
        data_dir: Option<PathBuf>,
    ) -> Ground {
        Ground {
            catalog: Arc::clone(&self.catalog),
            clock: Arc::clone(&self.clock),
            secrets: Arc::clone(sealer) as _,
            certificate: Arc::clone(certificate),
            certificate_fixed: self.settings.tls.is_some(),
            certificate_current: false,
            hosts: self.hosts(),
            administrator: administrator::NAME.to_owned(),
            idle: self.settings.login.idle,
            data_dir,
            incarnation: None,
        }
    }

    /// What every head has in common; what acts on commits is the running head's alone.
    fn options(&self, (store, checkpoints): Place, sealer: &Arc<Sealer>) -> Options {
        let settings = self.settings;
        let days = settings.history.keep_days;
        Options {
            catalog: Arc::clone(&self.catalog),
            store,
            checkpoints,
            checkpoint_every: settings.store.checkpoint_revisions,
            sealer: Arc::clone(sealer),
            clock: Arc::clone(&self.clock),
            mode: appliance::transaction_mode(settings, &self.catalog),
            change_limit: settings.limits.transaction_changes,
            history: HistoryRules {
                revisions: settings.history.keep_revisions,
                age: (days > 0).then(|| Duration::from_secs(days * 86_400)),
                answers: settings.history.idempotency,
                message_required: None,
            },
            appliers: Vec::new(),
        }
    }

    fn hosts(&self) -> Vec<String> {
        self.own.hosts(self.settings)
    }

    /// Those of them that one which is there already must be for.
    fn named_hosts(&self) -> &[String] {
        &self.settings.tls_names
    }
}

fn log_opened(engine: &Engine, head: &str) {
    let appliance = engine.catalog().name();
    for warning in engine.recovery_warnings() {
        tracing::warn!(appliance, head, warning, "while opening the store");
    }
    let revision = engine.running().number.get();
    tracing::info!(appliance, head, revision, "configuration opened");
}
