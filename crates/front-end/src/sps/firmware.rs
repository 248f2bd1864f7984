//! `/api/firmware` and `/api/upload/firmware`: the slots, a new image, an upgrade.

use std::io;

use hyper::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::slots::{Content, Image, NUMBERS, Slots, is_older, version_in};
use super::upload::no_disk;
use super::{Call, beyond};
use crate::answer::Answer;
use crate::failure::{Failure, Reason};
use crate::transport::RequestBody;

const SLOTS: &str = "/api/firmware/slots";

impl Call<'_> {
    /// The version of the firmware that the appliance came with, for programs.
    pub(super) fn factory_version(&self) -> String {
        self.said(&self.sps.settings.firmware_version, "firmware_version")
    }

    /// `/api/firmware/slots`. Its body is that of the whole, since one vendor client insists on a
    /// body and another reads the items' (SPS client checklist 43).
    pub(super) fn firmware_slots(&self) -> Answer {
        let slots = self.sps.machine.state().slots;
        let item = |number: u8| {
            json!({
                "body": self.slot_body(&slots, number),
                "key": number.to_string(),
                "meta": { "href": href(number) },
            })
        };
        let counts = json!({
            "current_slot": slots.current(),
            "number_of_empty_slots": slots.empty(),
            "slot_after_reboot": slots.after_reboot(),
        });
        let mut meta = self.listing_meta(SLOTS, "/api/firmware");
        beyond::extend(&mut meta, &counts);
        let items: Vec<Value> = NUMBERS.map(item).collect();
        Answer::document(&json!({ "body": counts, "items": items, "meta": meta }))
    }

    /// `/api/firmware/slots/N`: GET and DELETE.
    pub(super) async fn firmware_slot(&self, number: u8) -> Result<Answer, Failure> {
        if self.head.method != Method::DELETE {
            let slots = self.sps.machine.state().slots;
            return Ok(Answer::document(&self.slot_document(&slots, number)));
        }
        let file = self.image_file(number)?;
        let cleared = self.sps.machine.change(move |state| {
            if state.slots.current() == number {
                return Err(Failure::inconsistent(format!(
                    "The firmware in slot {number} is running; only another slot can be emptied"
                )));
            }
            state.slots.clear(number);
            match file.map(std::fs::remove_file) {
                Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(no_disk(error)),
                _ => Ok(()),
            }
        });
        cleared.await?;
        Ok(Answer::document(&json!({ "meta": { "href": href(number), "parent": SLOTS } })))
    }

    /// `/api/upload/firmware`: an image for the first empty slot.
    pub(super) async fn firmware_upload(&self, body: RequestBody) -> Result<Answer, Failure> {
        if self.sps.machine.state().slots.empty() == 0 {
            return Err(no_slot());
        }
        let upload = self.upload(body).await?;
        let version = version_in(&upload.head).unwrap_or_else(|| self.firmware_version());
        let image = Image { version, bytes: upload.bytes, sha256: upload.sha256.clone() };
        let folder = self.sps.machine.folder().map_err(no_disk)?.map(std::path::PathBuf::from);
        let filled = self.sps.machine.change(move |state| {
            let number = state.slots.fill(image).ok_or_else(no_slot)?;
            if let Some(folder) = folder {
                let file = folder.join(image_name(number));
                upload.file.persist(file).map_err(|error| no_disk(error.error))?;
            }
            Ok((number, state.slots.clone()))
        });
        let (number, slots) = filled.await?;
        tracing::info!(slot = number, "firmware uploaded");
        let text = self.slot_document(&slots, number).to_string();
        let answer = Answer::text(StatusCode::CREATED, text);
        Ok(answer.header_text(header::LOCATION, &href(number)))
    }

    /// `/api/firmware/test`: whether the firmware in a slot could be started.
    pub(super) async fn firmware_test(&self, body: RequestBody) -> Result<Answer, Failure> {
        let asked = Asked::read(&self.json_needed(body).await?)?;
        let slots = self.sps.machine.state().slots;
        // Clients look for these first words.
        let summary = match self.upgrade_refusal(&slots, asked.slot) {
            None => format!(
                "Upgrade is allowed; slot {} has version {}",
                asked.slot,
                self.slot_version(&slots, asked.slot).unwrap_or_default()
            ),
            Some(why) => format!("Upgrade is not allowed; {why}"),
        };
        Ok(Answer::document(&json!({
            "body": { "slot_id": asked.slot, "test_summary": summary },
            "key": "test",
            "meta": self.meta("/api/firmware/test", "/api/firmware"),
        })))
    }

    /// `/api/firmware/upgrade`: starts the firmware of a slot. The appliance starts again with it,
    /// which ends every session.
    pub(super) async fn firmware_upgrade(&self, body: RequestBody) -> Result<Answer, Failure> {
        let asked = Asked::read(&self.json_needed(body).await?)?;
        let slots = self.sps.machine.state().slots;
        if let Some(why) = self.upgrade_refusal(&slots, asked.slot) {
            return Err(Failure::inconsistent(format!("Upgrade is not allowed; {why}")));
        }
        let version = self.slot_version(&slots, asked.slot);
        let started = self.sps.machine.change(move |state| {
            // Another request may have emptied the slot since.
            if state.slots.content(asked.slot) == Content::Empty {
                return Err(Failure::inconsistent(format!("slot {} is empty", asked.slot)));
            }
            state.slots.start(asked.slot);
            Ok(())
        });
        started.await?;
        let message = asked.message.unwrap_or_default();
        tracing::info!(slot = asked.slot, version, message, "firmware upgraded, sessions end");
        let answer = Answer::document(&json!({
            "body": { "slot_id": asked.slot, "version": version },
            "key": "upgrade",
            "meta": self.meta("/api/firmware/upgrade", "/api/firmware"),
        }));
        self.appliance.logins.end_all();
        Ok(answer)
    }

    /// `/api/firmware/fetch`: would get firmware from the vendor. An emulator asks no vendor, so it
    /// is accepted and nothing comes of it.
    pub(super) async fn firmware_fetch(&self, body: RequestBody) -> Result<Answer, Failure> {
        self.json(body).await?;
        tracing::info!("firmware asked for; nothing is fetched from the vendor");
        let document = json!({ "meta": self.meta("/api/firmware/fetch", "/api/firmware") });
        Ok(Answer::text(StatusCode::ACCEPTED, document.to_string()))
    }

    /// Whether there is such a slot.
    pub(super) fn slot_number(text: &str) -> Option<u8> {
        let mut numbers = NUMBERS;
        numbers.find(|number| number.to_string() == text)
    }

    fn slot_document(&self, slots: &Slots, number: u8) -> Value {
        json!({
            "body": self.slot_body(slots, number),
            "key": number.to_string(),
            "meta": self.meta(&href(number), SLOTS),
        })
    }

    // An empty slot shows an empty object.
    fn slot_body(&self, slots: &Slots, number: u8) -> Value {
        let Some(version) = self.slot_version(slots, number) else { return json!({}) };
        json!({
            "after_reboot": slots.after_reboot() == number,
            "current": slots.current() == number,
            "upgrade_news": null,
            "upgrade_notes": null,
            "version": version,
        })
    }

    fn slot_version(&self, slots: &Slots, number: u8) -> Option<String> {
        match slots.content(number) {
            Content::Empty => None,
            Content::Factory => Some(self.factory_version()),
            Content::Uploaded(image) => Some(image.version.clone()),
        }
    }

    fn upgrade_refusal(&self, slots: &Slots, number: u8) -> Option<String> {
        let Some(version) = self.slot_version(slots, number) else {
            return Some(format!("slot {number} is empty"));
        };
        let running = self.firmware_version();
        if number == slots.current() {
            return Some(format!("the firmware in slot {number} is running"));
        }
        let message = || format!("version {version} in slot {number} is older than {running}");
        is_older(&version, &running).then(message)
    }

    fn image_file(&self, number: u8) -> Result<Option<std::path::PathBuf>, Failure> {
        let folder = self.sps.machine.folder().map_err(no_disk)?;
        Ok(folder.map(|folder| folder.join(image_name(number))))
    }
}

/// What the body of a test or an upgrade says.
struct Asked {
    slot: u8,
    message: Option<String>,
}

impl Asked {
    fn read(body: &Value) -> Result<Self, Failure> {
        let Some(members) = body.as_object() else {
            return Err(Failure::malformed("Send {\"slot_id\": N}", ""));
        };
        for (name, value) in members {
            if !matches!(name.as_str(), "slot_id" | "message") {
                let message = format!("`{name}` is unknown here; send slot_id, and message");
                return Err(Failure::malformed(message, format!("/{name}")));
            }
            if name == "message" && !(value.is_string() || value.is_null()) {
                return Err(Failure::malformed("message must be a string", "/message"));
            }
        }
        let number = members.get("slot_id").and_then(Value::as_u64);
        let slot = number.and_then(|number| u8::try_from(number).ok());
        let slot = slot.filter(|slot| NUMBERS.contains(slot)).ok_or_else(|| {
            Failure::malformed("slot_id must be the number of a slot, from 1 to 5", "/slot_id")
        })?;
        let message = members.get("message").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { slot, message })
    }
}

fn href(number: u8) -> String {
    format!("{SLOTS}/{number}")
}

fn image_name(number: u8) -> String {
    format!("firmware-{number}.img")
}

fn no_slot() -> Failure {
    let message = "All firmware slots are in use; DELETE one that does not run first".to_owned();
    Failure::Unsuitable { reason: Reason::Conflict, message }
}
