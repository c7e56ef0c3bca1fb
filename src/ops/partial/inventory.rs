//! The layers that the other side has.

use std::collections::HashMap;

use serde_json::{Deserializer, Value};

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Result};
use crate::event::Watch;
use crate::format::Container;
use crate::format::source::{Image, ImageSource, Layer, LayerBytes};
use crate::image::media_type::{Family, LayerType};
use crate::image::{Descriptor, DocumentError, json_text};
use crate::limits::DESCRIPTORS_MAX;
use crate::ops::Selector;
use crate::ops::choose::item::load_chosen;
use crate::ops::choose::selector::select;
use crate::ops::partial::{Chain, images_of, stored_digest};
use crate::stream::Compression;
use crate::transfer::Context;

/// Maximum number of forms of one layer that are remembered, such as plain and gzip.
const FORMS_MAX: usize = 8;

/// The layers that a machine has, each on top of those below it: of images, or of a list
/// of images as engines print it.
///
/// [`Session::inventory`](crate::Session::inventory) makes one.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The forms in which each chain's uppermost layer is stored, as far as known.
    chains: HashMap<Digest, Vec<StoredLayer>>,
}

/// A layer as it is stored.
#[derive(Clone, Debug)]
pub(in crate::ops) struct StoredLayer {
    pub(in crate::ops) descriptor: Descriptor,
    pub(in crate::ops) compression: Compression,
}

impl Inventory {
    /// The number of different layers; one on top of other layers counts again.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.chains.len()
    }

    /// Adds the layers of another one.
    pub fn extend(&mut self, other: Self) {
        for (chain, forms) in other.chains {
            let own = self.chains.entry(chain).or_default();
            for form in forms {
                add_form(own, form);
            }
        }
    }

    /// The forms of the uppermost layer of a chain, if the machine has it; none if only
    /// the diff_id is known.
    pub(in crate::ops) fn forms(&self, chain: &Digest) -> Option<&[StoredLayer]> {
        self.chains.get(chain).map(Vec::as_slice)
    }

    /// The layers of a list of images as `docker image inspect`, `podman image inspect`,
    /// `nerdctl image inspect` and `restow images --json` print it. Only their diff_ids
    /// are known then.
    ///
    /// # Errors
    ///
    /// Fails if it is not JSON, or if no image in it has layers.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let failed = |source| Error::document("the list of images", source);
        let text = json_text(json).map_err(failed)?;
        let mut inventory = Self::default();
        let mut is_list = false;
        for value in Deserializer::from_str(&text).into_iter::<Value>() {
            let value = value.map_err(|error| failed(error.into()))?;
            is_list |= inventory.add_value(&value).map_err(failed)?;
        }
        if is_list {
            Ok(inventory)
        } else {
            Err(Error::NoInventory)
        }
    }

    /// Adds all images in a JSON value, at any depth. Returns true if there are any.
    fn add_value(&mut self, value: &Value) -> Result<bool, DocumentError> {
        let mut is_list = false;
        match value {
            Value::Array(values) => {
                for value in values {
                    is_list |= self.add_value(value)?;
                }
            }
            Value::Object(fields) => {
                let layers = fields.get("RootFS").and_then(|it| it.get("Layers"));
                for layers in [layers, fields.get("diff_ids")].into_iter().flatten() {
                    is_list = true;
                    self.add_diff_ids(layers)?;
                }
                for value in fields.values() {
                    is_list |= self.add_value(value)?;
                }
            }
            _ => {}
        }
        Ok(is_list)
    }

    /// Adds an image of which only the diff_ids are known.
    fn add_diff_ids(&mut self, layers: &Value) -> Result<(), DocumentError> {
        // An image without layers has none in Go.
        let layers = layers.as_array().map(Vec::as_slice).unwrap_or_default();
        if layers.len() > DESCRIPTORS_MAX {
            return Err(DocumentError::TooMany {
                field: "RootFS.Layers".to_owned(),
                count: layers.len(),
                limit: DESCRIPTORS_MAX,
            });
        }
        let mut chain = Chain::default();
        for layer in layers {
            let diff_id = layer.as_str().and_then(|text| text.parse().ok());
            let diff_id: DiffId = diff_id.ok_or_else(|| DocumentError::Field {
                field: "RootFS.Layers".to_owned(),
                expected: "a list of digests",
            })?;
            self.chains.entry(chain.push(&diff_id)).or_default();
        }
        Ok(())
    }

    /// Adds the layers of an image with this name.
    fn add_image(
        &mut self,
        image: &Image,
        name: &str,
        container: &dyn Container,
        watch: Watch<'_>,
    ) -> Result<()> {
        let mut chain = Chain::default();
        for layer in &image.layers {
            let digest = stored_digest(layer, name, container, watch)?;
            let forms = self.chains.entry(chain.push(&layer.diff_id)).or_default();
            if let Some(form) = form_of(layer, digest) {
                add_form(forms, form);
            }
        }
        Ok(())
    }
}

fn add_form(forms: &mut Vec<StoredLayer>, form: StoredLayer) {
    let mut digests = forms.iter().map(|form| form.descriptor.digest());
    let is_new = digests.all(|digest| digest != form.descriptor.digest());
    if is_new && forms.len() < FORMS_MAX {
        forms.push(form);
    }
}

/// The form of a layer in an input, if it is known and has a name in OCI.
fn form_of(layer: &Layer, digest: Option<Digest>) -> Option<StoredLayer> {
    let compression = layer.compression;
    let media_type = Family::Oci.layer(LayerType::new(compression))?;
    let descriptor = match (&layer.bytes, layer.descriptor()) {
        (LayerBytes::Elsewhere(_), _) => return None,
        (_, Some(descriptor)) => descriptor.clone(),
        (_, None) => Descriptor::new(&media_type, digest?, layer.stored_size()),
    };
    Some(StoredLayer {
        descriptor,
        compression,
    })
}

/// The layers of all images in a source, or of the selected one. Images that are
/// incomplete there are skipped.
pub(crate) fn inventory(
    source: &dyn ImageSource,
    image: Option<&Selector>,
    context: Context<'_>,
) -> Result<Inventory> {
    let mut inventory = Inventory::default();
    for selection in select(source, image)?.each() {
        let item = match load_chosen(source, selection, &context.watch.silent()) {
            Err(error) if error.absence().is_some() && image.is_none() => continue,
            item => item?,
        };
        let mut images = Vec::new();
        images_of(&item.content, &mut images);
        for image in images {
            inventory.add_image(image, &item.name, source.container(), context.watch)?;
        }
    }
    Ok(inventory)
}
