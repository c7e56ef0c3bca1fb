//! The documents of an image with another config.

use serde_json::Value;

use crate::dockerfile::set_label;
use crate::error::{ChoiceError, Error, LimitError, Place, Result};
use crate::format::source::{Content, Image, IndexContent};
use crate::image::{
    Config, ConfigEdit, Descriptor, Document, DocumentError, Manifest, Timestamp, set_platform,
};
use crate::limits::DOCUMENT_MAX;
use crate::ops::config::command::command;
use crate::ops::config::options::ConfigOptions;
use crate::ops::edited::{edited_manifest, own_document};

/// Edits all images of an item alike.
pub(super) struct Editor<'a> {
    options: &'a ConfigOptions,
    /// The time of a change, as RFC 3339, if the caller sets it.
    changed: Option<String>,
    /// The explicit creation time, as RFC 3339.
    created: Option<String>,
    /// The command in the history.
    command: String,
    /// For each setting to remove whether any image had it, and the others to choose
    /// from.
    unset: Vec<(bool, Vec<String>)>,
    /// True if any document changes.
    has_changed: bool,
}

impl<'a> Editor<'a> {
    pub(super) fn new(options: &'a ConfigOptions, changed: Option<Timestamp>) -> Self {
        Self {
            options,
            changed: changed.map(|time| time.to_string()),
            created: options.created.map(|time| time.to_string()),
            command: command(options),
            unset: vec![(false, Vec::new()); options.unset.len()],
            has_changed: false,
        }
    }

    /// The edited content of an item with this name; `None` if nothing changes. The
    /// descriptor of the item follows if its platform changes.
    pub(super) fn edit(
        mut self,
        content: &Content,
        name: &str,
        descriptor: &mut Option<Descriptor>,
    ) -> Result<Option<Content>> {
        let count = content.configs().count();
        if count == 0 {
            return Err(Error::NoImage);
        }
        if self.options.set_platform.is_some() && count > 1 {
            return Err(ChoiceError::ImagesSharePlatform(count).into());
        }
        let edited = self.content(content, name, descriptor.as_mut())?;
        for (unset, (was_there, have)) in self.options.unset.iter().zip(self.unset) {
            if !was_there {
                return Err(ChoiceError::NoSuchSetting {
                    image: name.to_owned(),
                    wanted: unset.to_string(),
                    have,
                }
                .into());
            }
        }
        Ok(self.has_changed.then_some(edited))
    }

    fn content(
        &mut self,
        content: &Content,
        name: &str,
        descriptor: Option<&mut Descriptor>,
    ) -> Result<Content> {
        match content {
            Content::Image(image) => {
                let edited = self.image(image, name, descriptor.as_deref());
                let edited = edited?;
                if let (Some(platform), Some(descriptor)) = (&self.options.set_platform, descriptor)
                    && let Some(mut value) = descriptor.platform_json().cloned()
                {
                    set_platform(&mut value, platform);
                    *descriptor = descriptor.clone().with("platform", Some(value));
                }
                Ok(Content::Image(edited))
            }
            Content::Index(index) => {
                let edited = self.index(index, name)?;
                Ok(Content::Index(Box::new(edited)))
            }
            other => Ok(other.clone()),
        }
    }

    fn index(&mut self, index: &IndexContent, name: &str) -> Result<IndexContent> {
        let mut children = Vec::new();
        let mut descriptors = Vec::new();
        for (child, descriptor) in index.parts() {
            let mut descriptor = descriptor.clone();
            let name = format!("{name}@{}", descriptor.digest());
            children.push(self.content(child, &name, Some(&mut descriptor))?);
            descriptors.push(descriptor);
        }
        let document = if index.index.view().manifests == descriptors {
            index.index.clone()
        } else {
            let descriptors = descriptors.iter().map(Descriptor::to_json);
            let edited = index
                .index
                .edit(|value| value["manifests"] = descriptors.collect());
            edited.map_err(own_document)?
        };
        Ok(IndexContent {
            index: document,
            children,
            kept: None,
            others: index.others.clone(),
        })
    }

    fn image(
        &mut self,
        image: &Image,
        name: &str,
        descriptor: Option<&Descriptor>,
    ) -> Result<Image> {
        let config = self.config(&image.config, name, descriptor)?;
        let annotations = self.annotations(image.manifest.as_ref(), name)?;
        if config.is_none() && annotations.is_empty() {
            return Ok(image.clone());
        }
        self.has_changed = true;
        let manifest = image.manifest.as_ref();
        let manifest = manifest.map(|manifest| edited_manifest(manifest, |_| {}));
        Ok(Image {
            manifest: manifest.transpose()?,
            config: config.unwrap_or_else(|| image.config.clone()),
            layers: image.layers.clone(),
            annotations,
            others: image.others.clone(),
        })
    }

    /// The edited config; `None` if nothing changes in it.
    fn config(
        &mut self,
        config: &Document<Config>,
        name: &str,
        descriptor: Option<&Descriptor>,
    ) -> Result<Option<Document<Config>>> {
        let options = self.options;
        let place = || Place::Config(name.to_owned());
        let parse = |error| Error::document(place().to_string(), error);
        let value = config.value().map_err(parse)?;
        let mut run = value.get("config").cloned().unwrap_or(Value::Null);
        let before = run.clone();
        let edited = self.run_config(&mut run);
        edited.map_err(|error| error.while_reading(place()))?;
        let edit = ConfigEdit {
            author: options.author.as_deref(),
            platform: options.set_platform.as_ref(),
            created: self.created.as_deref(),
            changed: self.changed.as_deref(),
            created_by: &self.command,
            comment: options.message.as_deref(),
        };
        let described = descriptor.and_then(Descriptor::platform);
        let is_platform_wrong = (options.set_platform.as_ref().zip(described))
            .is_some_and(|(wanted, described)| *wanted != described);
        let run = (run != before).then_some(run);
        let edited = edit
            .apply(config, run, is_platform_wrong)
            .map_err(own_document)?;
        if let Some(size) = edited.as_ref().map(Document::size)
            && size > DOCUMENT_MAX
        {
            return Err(LimitError::DocumentTooLarge {
                what: format!("{}, edited,", place()),
                size,
                limit: DOCUMENT_MAX,
            }
            .into());
        }
        Ok(edited)
    }

    /// Edits the `config` object of a config.
    fn run_config(&mut self, run: &mut Value) -> Result<()> {
        let before = run.clone();
        for (unset, (was_there, have)) in self.options.unset.iter().zip(&mut self.unset) {
            // Two may overlap: `ENV` and `ENV.A`.
            unset.apply(run)?;
            if unset.apply(&mut before.clone())? {
                *was_there = true;
                continue;
            }
            for choice in unset.choices(&before) {
                if !have.contains(&choice) {
                    have.push(choice);
                }
            }
        }
        self.options.changes.apply(run)?;
        for (key, value) in &self.options.labels {
            set_label(run, key, value)?;
        }
        Ok(())
    }

    /// The annotations that a manifest does not have yet.
    fn annotations(
        &self,
        manifest: Option<&Document<Manifest>>,
        name: &str,
    ) -> Result<Vec<(String, String)>> {
        let mut wanted = self.options.annotations.clone();
        let Some(manifest) = manifest.filter(|_| !wanted.is_empty()) else {
            return Ok(wanted);
        };
        let failed = |error| Error::document(format!("the manifest of `{name}`"), error);
        let value = manifest.value().map_err(failed)?;
        let held = &value["annotations"];
        if !held.is_null() && !held.is_object() {
            return Err(failed(DocumentError::Field {
                field: "annotations".to_owned(),
                expected: "an object",
            }));
        }
        wanted.retain(|(key, value)| held.get(key).and_then(Value::as_str) != Some(value));
        Ok(wanted)
    }
}
