//! The layers of an image that are its old base.

use crate::digest::DiffId;
use crate::error::{ChoiceError, Result};
use crate::format::source::{Image, ImageSource};
use crate::image::{Config, Document};
use crate::ops::Selector;
use crate::ops::choose::image::{ChosenImage, choose_image};
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::edited::{BASE_DIGEST, BASE_NAME};
use crate::ops::squash::range::above;
use crate::transfer::Context;

/// The way in which the old base of an image was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BaseFound {
    /// It was given.
    Given,
    /// The manifest of the image has its digest or its name: this one.
    Annotated(String),
    /// It is assumed to be the layers that the image and the new base have in common.
    Common,
}

/// The old base.
pub(super) struct OldBase {
    /// The number of its layers.
    pub(super) layers: usize,
    /// Its config, if it is known.
    pub(super) config: Option<Document<Config>>,
    pub(super) found: BaseFound,
}

/// The old base that the caller has given.
pub(super) fn given(
    source: &dyn ImageSource,
    selector: Option<&Selector>,
    platform: PlatformChoice<'_>,
    of: &ChosenImage<'_>,
    context: Context<'_>,
) -> Result<OldBase> {
    let base = choose_image(source, selector, platform, context)?;
    Ok(OldBase {
        layers: above(&diff_ids(&base.image), &of.image.layers)?,
        config: Some(base.image.config),
        found: BaseFound::Given,
    })
}

/// Finds the old base: the image that the annotations of the manifest name, if one of the
/// sources has it; otherwise the layers that the image and the new base have in common.
pub(super) fn find_base(
    sources: &[&dyn ImageSource],
    of: &ChosenImage<'_>,
    new: &ChosenImage<'_>,
    platform: PlatformChoice<'_>,
    context: Context<'_>,
) -> Result<OldBase> {
    let quiet = Context {
        watch: context.watch.silent(),
        ..context
    };
    let annotation = |key: &str| {
        let manifest = of.image.manifest.as_ref()?.value().ok()?;
        let text = manifest.get("annotations")?.get(key)?.as_str()?;
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    let layers = &of.image.layers;
    for (key, is_certain) in [(BASE_DIGEST, true), (BASE_NAME, false)] {
        let Some(text) = annotation(key) else {
            continue;
        };
        let selector = Selector::Name(text.clone());
        for source in sources {
            let Ok(base) = choose_image(*source, Some(&selector), platform, quiet) else {
                continue;
            };
            // Something else may have the name by now; the digest is that of the base.
            match above(&diff_ids(&base.image), layers) {
                Ok(count) => {
                    return Ok(OldBase {
                        layers: count,
                        config: Some(base.image.config),
                        found: BaseFound::Annotated(text),
                    });
                }
                Err(ChoiceError::NotTheBase { position, .. }) if is_certain => {
                    return Err(ChoiceError::NotTheAnnotatedBase {
                        image: of.name.clone(),
                        key,
                        digest: text,
                        position,
                    }
                    .into());
                }
                Err(_) => {}
            }
        }
    }
    let pairs = layers.iter().zip(&new.image.layers);
    let common = pairs.take_while(|(one, other)| one.diff_id == other.diff_id);
    match common.count() {
        0 => Err(ChoiceError::UnknownBase {
            image: of.name.clone(),
            base: new.name.clone(),
        }
        .into()),
        layers => Ok(OldBase {
            layers,
            config: None,
            found: BaseFound::Common,
        }),
    }
}

fn diff_ids(image: &Image) -> Vec<DiffId> {
    image.layers.iter().map(|it| it.diff_id.clone()).collect()
}
