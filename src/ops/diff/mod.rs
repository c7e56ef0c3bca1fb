//! `diff`: the differences between two images, as a container sees them.
//!
//! Pass 1 reads the headers of all layers, and compares the trees. Pass 2 hashes the
//! files that have the same size in both images and come from different layers.

mod fields;
mod links;
pub(in crate::ops) mod options;
pub(in crate::ops) mod pairs;
pub(in crate::ops) mod report;
pub(in crate::ops) mod text;
pub(in crate::ops) mod tree;

use std::num::NonZeroUsize;

use serde_json::Value;

use crate::error::{Error, Place, Result};
use crate::event::Event;
use crate::format::Format;
use crate::format::source::ImageSource;
use crate::merge::{Changes, Merge};
use crate::ops::Selector;
use crate::ops::choose::image::{ChosenImage, choose_image};
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::diff::fields::{Configs, layers, names_only};
use crate::ops::diff::options::{Aspect, Detail, DiffOptions};
use crate::ops::diff::report::{ComparedImage, DiffReport};
use crate::ops::diff::tree::{Found, TreeChanges, Trees, find, select};
use crate::ops::stack::layer_stack::LayerStack;
use crate::transfer::Context;
use crate::transfer::parallel::in_parallel;

/// Implements [`Session::diff`](crate::Session::diff).
pub(crate) fn diff(
    a: &dyn ImageSource,
    b: &dyn ImageSource,
    options: &DiffOptions,
    context: Context<'_>,
) -> Result<DiffReport> {
    let mut of_a = choose(a, options.image_a.as_ref(), options, context)?;
    let mut of_b = choose(b, options.image_b.as_ref(), options, context)?;
    tell_apart((a, &mut of_a), (b, &mut of_b));
    let stacks = [
        LayerStack::new(a, &of_a, context)?,
        LayerStack::new(b, &of_b, context)?,
    ];
    let changes = compare_trees(&stacks, options, context)?;
    let is_rootfs = |source: &dyn ImageSource| source.format() == Format::Rootfs;
    let config = |source: &dyn ImageSource, chosen: &ChosenImage<'_>| match source.format() {
        Format::Rootfs => Ok(Value::Null),
        _ => chosen.image.config.value().map_err(|source| {
            let what = Place::Config(chosen.name.clone()).to_string();
            Error::document(what, source)
        }),
    };
    let configs = Configs {
        a: &config(a, &of_a)?,
        b: &config(b, &of_b)?,
        is_semantic: options.semantic,
    };
    let has_config = !is_rootfs(a) && !is_rootfs(b) && options.paths.is_empty();
    let has_config = has_config && options.counts(Aspect::Config);
    let has = |detail: Detail| options.details.contains(&detail);
    let (a, b) = (describe(a, &of_a), describe(b, &of_b));
    let diff_ids = |chosen: &ChosenImage<'_>| chosen.image.config.view().diff_ids.clone();
    let (ids_a, ids_b) = (diff_ids(&of_a), diff_ids(&of_b));
    let shared = ids_a.iter().zip(&ids_b).take_while(|(a, b)| a == b);
    Ok(DiffReport {
        shared_layers: shared.count(),
        config: has_config.then(|| configs.run()),
        history: has(Detail::History).then(|| configs.making()),
        names: has(Detail::Names).then(|| names_only(&a.names(), &b.names())),
        layers: has(Detail::Layers).then(|| layers(&of_a.image, &of_b.image)),
        files: changes.files,
        added: changes.added,
        deleted: changes.deleted,
        changed: changes.changed,
        metadata: changes.metadata,
        same: changes.same,
        a,
        b,
    })
}

fn choose<'a>(
    source: &'a dyn ImageSource,
    selector: Option<&Selector>,
    options: &DiffOptions,
    context: Context<'_>,
) -> Result<ChosenImage<'a>> {
    let platform = options.platform.as_ref();
    let reason = platform.map_or(PlatformChoice::OneTree, PlatformChoice::Asked);
    choose_image(source, selector, reason, context)
}

/// Adds the inputs to the names of the images, for messages, if they have the same name.
fn tell_apart<'a>(
    (a, of_a): (&'a dyn ImageSource, &mut ChosenImage<'a>),
    (b, of_b): (&'a dyn ImageSource, &mut ChosenImage<'a>),
) {
    if of_a.name != of_b.name {
        return;
    }
    for (source, chosen) in [(a, of_a), (b, of_b)] {
        match source.place() {
            Some(Place::Path(path)) => {
                chosen.name = format!("{}:{}", path.display(), chosen.name);
            }
            Some(place) => chosen.name = format!("{} in {place}", chosen.name),
            None => {}
        }
    }
}

/// The facts about an image for the report.
fn describe(source: &dyn ImageSource, chosen: &ChosenImage<'_>) -> ComparedImage {
    ComparedImage {
        format: source.format(),
        name: chosen.name.clone(),
        references: chosen.references(),
        labels: chosen.labels(),
        id: chosen.image.config.digest().clone(),
        digest: chosen.manifest().map(|it| it.digest().clone()),
        platform: chosen.image.platform().cloned(),
        layers: chosen.image.layers.len(),
    }
}

/// Compares the trees of two images.
fn compare_trees(
    stacks: &[LayerStack<'_>; 2],
    options: &DiffOptions,
    context: Context<'_>,
) -> Result<TreeChanges> {
    let watch = context.watch;
    for stack in stacks {
        stack.prepare()?;
    }
    let all = |stack: &LayerStack<'_>| 0..stack.count();
    let sizes = stacks.iter().flat_map(|stack| {
        all(stack).flat_map(|at| [stack.size_to_scan(at), stack.size_to_read(at)])
    });
    watch.send(Event::Started {
        bytes: sizes.fold(0, u64::saturating_add),
        images: Some(stacks.len()),
        steps: None,
    });
    // Both images are read at once, each by half of the threads.
    let jobs = NonZeroUsize::new(context.jobs.get().div_ceil(2)).unwrap_or(NonZeroUsize::MIN);
    let mut halves = stacks.clone();
    for half in &mut halves {
        half.context.jobs = jobs;
    }
    let both = || vec![0, 1];
    let headers = |stack: &LayerStack<'_>| -> Result<Vec<Changes>> {
        stack.changes(&all(stack).collect::<Vec<_>>())
    };
    let is_quick = |stack: &LayerStack<'_>| all(stack).all(|at| stack.size_to_scan(at) == 0);
    // If only headers have to be read, one image after the other needs less memory, and
    // not much more time.
    let changes = if stacks.iter().all(is_quick) {
        [None, None]
    } else {
        let changes = in_parallel(both(), context.jobs, |at| headers(&halves[at]))?;
        let mut changes = changes.into_iter();
        [changes.next(), changes.next()]
    };
    // One after the other, so that warnings have an order.
    let (mut trees, mut found) = (Vec::new(), Vec::new());
    for (stack, changes) in stacks.iter().zip(changes) {
        let tree = if let Some(changes) = changes {
            stack.tree_of(changes)?
        } else {
            let mut tree = Merge::new();
            stack.merge(&mut tree, &all(stack).collect::<Vec<_>>())?;
            tree
        };
        found.push(find(&tree, &options.paths));
        trees.push(tree.into_listing());
    }
    let [found_a, found_b] = <[Found; 2]>::try_from(found).unwrap_or_default();
    let diff_ids = |at: usize| {
        let layers = stacks[at].image.layers.iter();
        layers.map(|layer| &layer.diff_id).collect::<Vec<_>>()
    };
    let images = [stacks[0].name, stacks[1].name];
    let selected = select([found_a, found_b], images, &options.paths)?;
    let compared = Trees {
        a: &trees[0],
        b: &trees[1],
        layers_a: &diff_ids(0),
        layers_b: &diff_ids(1),
        options,
        selected: &selected,
    };
    let mut survey = compared.survey(&watch)?;
    let files = [
        std::mem::take(&mut survey.files_a),
        std::mem::take(&mut survey.files_b),
    ];
    let hashes = in_parallel(both(), context.jobs, |at| halves[at].digests(&files[at]))?;
    drop(files);
    compared.compare(&survey, [&hashes[0], &hashes[1]], &watch)
}
