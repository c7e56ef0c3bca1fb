//! The worked cases of the merge, each by its number, through the command.
//!
//! A case is a stack of layers, a range of it, the layer that takes the place of
//! the range, entry by entry in its order, and the tree of all layers. What the
//! words mean is in `support/entry.rs`. Those with a letter behind their number
//! are about what that case leaves open.

use std::ops::RangeInclusive;

use crate::support::canonical::assert_bytes;
use crate::support::entry::{Entry, Kind, entries, words};
use crate::support::judge::Format;
use crate::support::layer::{self, tar};
use crate::support::make::Image;
use crate::support::naive::{self, replay, replay_for};
use crate::support::squash::{put, squash};
use crate::support::tree::{Strictness, assert_same};
use crate::support::{Sandbox, codec::digest};

/// A case as it stands in the tables.
struct Case {
    number: &'static str,
    /// The layers, lowest first.
    stack: &'static str,
    /// The range, from 0.
    range: RangeInclusive<usize>,
    /// The new layer.
    squashed: &'static str,
    /// The tree of all layers. `(@0)` is a directory that no layer has an entry for.
    view: &'static str,
    /// Whether engines disagree about the input.
    warns: Warns,
}

use Warns::{No, Yes};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Warns {
    Yes,
    No,
}

fn case(
    number: &'static str,
    stack: &'static str,
    range: RangeInclusive<usize>,
    squashed: &'static str,
    view: &'static str,
    warns: Warns,
) -> Case {
    Case {
        number,
        stack,
        range,
        squashed,
        view,
        warns,
    }
}

/// Deletions, and what is made again where something was deleted.
#[rustfmt::skip]
fn deletions() -> Vec<Case> {
    vec![
        case("1", "a/ a/x=1 a/y=2 | a/ a/.wh.x", 0..=1, "a/ a/y=2", "a/ a/y=2", No),
        case("2", "x=old | .wh.x | x=new", 1..=2, "x=new", "x=new", No),
        case("3", "x=old | .wh.x | x=new", 0..=2, "x=new", "x=new", No),
        case("4", "a/ a/old | .wh.a | a/ a/new", 1..=2, "a/ a/.wh..wh..opq a/new", "a/ a/new", No),
        case("5", "a/ a/old | a=file | a/ a/n", 1..=2, "a/ a/.wh..wh..opq a/n", "a/ a/n", No),
        case("5b", "a/ a/old | a=file | a/ a/n", 0..=2, "a/ a/n", "a/ a/n", No),
        case("6", "a=file | .wh.a | a/ a/n", 1..=2, "a/ a/n", "a/ a/n", No),
        case("7", "a/ a/old | a/ a/.wh..wh..opq a/n a/m | a/ a/.wh.n", 1..=2, "a/ a/.wh..wh..opq a/m", "a/ a/m", No),
        case("8", "a/ a/old | a/ a/r | .wh.a", 1..=2, ".wh.a", "", No),
        case("8b", "a/ a/old | a/ a/r | .wh.a", 0..=2, "", "", No),
        case("9", "a/ a/b/ a/b/old | a/ a/b/ a/b/.wh.old | .wh.a", 1..=2, ".wh.a", "", No),
        case("10", "a/ a/old | a/ a/r | a/ a/.wh..wh..opq", 1..=2, "a/ a/.wh..wh..opq", "a/", No),
        case("11", "z | t=1 | .wh.t", 1..=2, "", "z", No),
        case("24", "a/ a/1 ab/ ab/1 a.txt | .wh.a | n", 0..=2, "ab/ ab/1 a.txt n", "a.txt ab/ ab/1 n", No),
        case("25", "x | not.wh.x a.wh. | n", 1..=2, "not.wh.x a.wh. n", "a.wh. n not.wh.x x", No),
        case("26", "a/ a/old | .wh.a | a/new", 1..=2, "a/.wh..wh..opq a/new", "a/(@0) a/new", No),
        case("26b", "a/(0700,3:3) a/old | .wh.a | a/new", 0..=2, "a/(@0) a/new", "a/(@0) a/new", No),
        case("27", "x=old | .wh.x x=new", 1..=1, "x=new", "x=new", No),
        case("27b", "x=old | x=new .wh.x | n", 1..=2, "x=new n", "n x=new", Yes),
        case("28", "a/ a/old | .wh.a a/ a/new | n", 1..=2, "a/ a/.wh..wh..opq a/new n", "a/ a/new n", Yes),
        case("36", "k | p/q/.wh.r", 1..=1, "p/(@0) p/q/(@0)", "k p/(@0) p/q/(@0)", No),
        case("36b", "k | p/q/.wh.r | n", 1..=2, "p/(@0) p/q/(@0) n", "k n p/(@0) p/q/(@0)", No),
        case("38", "z | f | m | .wh.f", 2..=3, ".wh.f m", "m z", No),
        case("38b", "z | f | m | .wh.f", 1..=3, "m", "m z", No),
        case("41", "f=secret | .wh.f | n", 1..=2, ".wh.f n", "n", No),
    ]
}

/// Opaque directories.
#[rustfmt::skip]
fn opaques() -> Vec<Case> {
    vec![
        case("29", "x y/ | .wh..wh..opq n", 1..=1, ".wh.x .wh.y n", "n", Yes),
        case("29b", "x y/ | .wh..wh..opq n | m", 1..=2, ".wh.x .wh.y n m", "m n", Yes),
        case("29c", "x y/ y/1 z/ z/1 | n .wh..wh..opq y/ y/2 | m", 1..=2, ".wh.x .wh.z n y/ y/.wh..wh..opq y/2 m", "m n y/ y/2", Yes),
        case("29d", "a/(0700,5:5) a/old | .wh..wh..opq a/new | n", 1..=2, "a/(@0) a/.wh..wh..opq a/new n", "a/(@0) a/new n", Yes),
        case("29e", "a/(0700,5:5) a/b/(0711) | .wh..wh..opq a/b/new | n", 1..=2, "a/(@0) a/.wh..wh..opq a/b/new n", "a/(@0) a/b/(@0) a/b/new n", Yes),
        case("29f", "a/(0700,5:5) | .wh..wh..opq a/b/new | n", 1..=2, "a/(@0) a/b/new n", "a/(@0) a/b/(@0) a/b/new n", Yes),
        case("31c", "a/(0700,5:5) a/b/(0711,6:6) a/b/old | a/ a/.wh..wh..opq a/b/new", 1..=1, "a/ a/.wh..wh..opq a/b/new", "a/ a/b/(@0) a/b/new", No),
        case("30", "a/ a/b/ a/b/1 a/2 | a/ a/b/ a/b/.wh..wh..opq a/b/n", 1..=1, "a/ a/b/ a/b/.wh..wh..opq a/b/n", "a/ a/2 a/b/ a/b/n", No),
        case("31", "a/ a/b/ a/b/1 | a/ a/.wh..wh..opq a/b/ a/b/n", 1..=1, "a/ a/.wh..wh..opq a/b/ a/b/n", "a/ a/b/ a/b/n", No),
        case("31b", "a/ a/b/ a/b/1 | a/ a/.wh..wh..opq a/b/ a/b/.wh..wh..opq a/b/n", 1..=1, "a/ a/.wh..wh..opq a/b/ a/b/n", "a/ a/b/ a/b/n", No),
        case("32", "a/ a/1 | a/ a/.wh..wh..opq a/2 | a/ a/.wh.2 a/3", 1..=2, "a/ a/.wh..wh..opq a/3", "a/ a/3", No),
        case("33", "a/ a/x | a/ a/.wh.x a/.wh..wh..opq", 1..=1, "a/ a/.wh..wh..opq", "a/", No),
        case("39", "d/ | d/ d/.wh..wh..opq | m", 1..=2, "d/ m", "d/ m", No),
    ]
}

/// Hard links.
#[rustfmt::skip]
fn links() -> Vec<Case> {
    vec![
        case("12", "z | a=1 b=>a | .wh.a", 1..=2, "b=1", "b=1 z", No),
        case("13", "z | a=1 b=>a | a=2", 1..=2, "b=1 a=2", "a=2 b=1 z", No),
        case("14", "z | a=1 b=>a c=>a | .wh.a", 1..=2, "b=1 c=>b", "b=1 c=>b z", No),
        case("15", "z | a=1 | b=>a", 1..=2, "a=1 b=>a", "a=1 b=>a z", Yes),
        case("16", "a=1 | b=>a", 1..=1, "b=1", "a=1 b=1", Yes),
        case("16b", "a=1 | b=>a | n", 1..=2, "b=1 n", "a=1 b=1 n", Yes),
        case("42", ".wh..wh.plnk/1.1=x b=>.wh..wh.plnk/1.1 c=>.wh..wh.plnk/1.1 | n", 0..=1, "b=x c=>b n", "b=x c=>b n", Yes),
    ]
}

/// Changes of type and of metadata, paths through symlinks, and the rest.
#[rustfmt::skip]
fn changes() -> Vec<Case> {
    const CAPABILITY: &str = "f=1(security.capability=0100000200200000000000000000000000000000)";
    const CAPABILITY_STACK: &str = "f=1(security.capability=0100000200200000000000000000000000000000) | n";
    const CAPABILITY_VIEW: &str = "f=1(security.capability=0100000200200000000000000000000000000000) n";
    assert!(CAPABILITY_STACK.starts_with(CAPABILITY));
    vec![
        case("17", "a/ a/old | a->q | n", 1..=2, "a->q n", "a->q n", No),
        case("18", "a->q | a/ a/1 | n", 1..=2, "a/ a/1 n", "a/ a/1 n", No),
        case("19", "a/(0700,3:3) a/x | a/y | n", 1..=2, "a/y n", "a/(0700,3:3) a/x a/y n", Yes),
        case("20", "a/(0700,3:3) a/x | a/y | n", 0..=2, "a/(0700,3:3) a/x a/y n", "a/(0700,3:3) a/x a/y n", Yes),
        case("21", "a/ | a/(0700) a/1 | a/(0711) a/2", 1..=2, "a/(0711) a/1 a/2", "a/(0711) a/1 a/2", No),
        case("22", "usr/ usr/lib/ usr/lib/0 lib->usr/lib | lib/foo | n", 1..=2, "lib/foo n", "lib/(@0) lib/foo n usr/ usr/lib/ usr/lib/0", Yes),
        case("22b", "usr/ usr/lib/ usr/lib/0 lib->usr/lib | lib/foo | n", 0..=2, "usr/ usr/lib/ usr/lib/0 lib/(@0) lib/foo n", "lib/(@0) lib/foo n usr/ usr/lib/ usr/lib/0", Yes),
        case("23", "usr/ usr/lib/ lib->usr/lib lib/foo | n", 0..=1, "usr/ usr/lib/ lib->usr/lib usr/lib/foo n", "lib->usr/lib n usr/ usr/lib/ usr/lib/foo", No),
        case("34", CAPABILITY_STACK, 0..=1, CAPABILITY_VIEW, CAPABILITY_VIEW, No),
        case("35", "x=1 | x(c0:0)", 1..=1, ".wh.x", "", Yes),
        case("35b", "x=1 | x(c0:0) | n", 1..=2, ".wh.x n", "n", Yes),
        case("37", "x=1 x=2 | n", 0..=1, "x=2 n", "n x=2", Yes),
    ]
}

/// What the numbered cases leave open, and has been decided.
#[rustfmt::skip]
fn decisions() -> Vec<Case> {
    vec![
        // A root entry is kept, the last one, and never made up.
        case("root 1", "./(0700) x | ./(0711,5:5) y", 0..=1, "./(0711,5:5) x y", "./(0711,5:5) x y", No),
        case("root 2", "./(0700) x | y | .wh.x", 1..=2, ".wh.x y", "./(0700) y", No),
        case("root 3", "x | y ./(0700) | .wh.x", 1..=2, "./(0700) .wh.x y", "./(0700) y", No),
        // The attributes of a hard link's own entry are those of the file.
        case("link 1", "a=1(0600,1:1) b=>a(04755,2:2,@7,user.a=00) | n", 0..=1, "a=1(04755,2:2,@7,user.a=00) b=>a(04755,2:2,@7,user.a=00) n", "a=1(04755,2:2,@7,user.a=00) b=>a(04755,2:2,@7,user.a=00) n", Yes),
        case("link 1b", "a(user.a=00,user.b=01) b=>a(user.a=02) | n", 0..=1, "a(user.a=02,user.b=01) b=>a(user.a=02,user.b=01) n", "a(user.a=02,user.b=01) b=>a(user.a=02,user.b=01) n", Yes),
        case("link 2", "z | a=1 c=>a b=>a | n .wh.a", 1..=2, "c=1 b=>c n", "b=1 c=>b n z", No),
        case("link 3", "a->t b=>a(0777) | n", 0..=1, "a->t b=>a(0777) n", "a->t b=>a(0777) n", No),
        case("link 4", "p(p) q=>p d(c1:3) e=>d | .wh.p", 0..=1, "q(p) d(c1:3) e=>d", "d(c1:3) e=>d q(p)", No),
        // Several hard links to what is below the range are several names of one copy.
        case("link 5", "a=1 | b=>a c=>a | n", 1..=2, "b=1 c=>b n", "a=1 b=1 c=>b n", Yes),
        case("link 6", "a=1(0600) | c=>a(0600) | b=>a(0711)", 1..=2, "c=1(0711) b=>c(0711)", "a=1(0600) b=1(0711) c=>b(0711)", Yes),
        case("link 7", "a=1 d=>a | b=>a c=>d | .wh.a", 1..=2, ".wh.a b=1 c=>b", "b=1 c=>b d=1", Yes),
        // Attributes that stand for an owner elsewhere are dropped, all others are kept.
        case("attributes", "a(user.rootlesscontainers=0801,user.x=00ff0a) b/(user.containers.override_stat=303a30,trusted.overlay.opaque=79) | b/x | n", 0..=2, "a(user.x=00ff0a) b/(trusted.overlay.opaque=79) b/x n", "a(user.x=00ff0a) b/(trusted.overlay.opaque=79) b/x n", Yes),
        // The last entry of a path takes the place of the earlier ones, and of what is in them.
        case("repeated 1", "a/ a/x=1 a=file | n", 0..=1, "a=file n", "a=file n", Yes),
        case("repeated 2", "a=1 b=>a a=2 | n", 0..=1, "b=1 a=2 n", "a=2 b=1 n", Yes),
        case("repeated 3", "a/(0700) a/x a/(0711) | n", 0..=1, "a/(0711) a/x n", "a/(0711) a/x n", Yes),
        // Symlinks of the same layer are followed, inside the root.
        case("symlink 1", "usr/ l->/usr/../../usr l/foo | n", 0..=1, "usr/ l->/usr/../../usr usr/foo n", "l->/usr/../../usr n usr/ usr/foo", No),
        case("symlink 2", "l->a/b l/foo | n", 0..=1, "l->a/b a/(@0) a/b/(@0) a/b/foo n", "a/(@0) a/b/(@0) a/b/foo l->a/b n", Yes),
        case("symlink 3", "usr/ usr/0 | usr/ l->usr l/.wh.0 | n", 1..=2, "usr/ usr/.wh.0 l->usr n", "l->usr n usr/", No),
        case("symlink 4", "a/ a/1 l->a | .wh.l | n", 1..=2, ".wh.l n", "a/ a/1 n", No),
        case("symlink 5", "usr/ l->../usr l/foo | n", 0..=1, "usr/ l->../usr usr/foo n", "l->../usr n usr/ usr/foo", Yes),
        case("symlink 6", "a/ l->/a l/f=1 | n", 0..=1, "a/ l->/a a/f=1 n", "a/ a/f=1 l->/a n", Yes),
        // A whiteout means the path as it is where it stands: a symlink or a file that
        // comes later only takes the place of what it is in.
        case("place 1", "a/ a/x b/ b/x=live b/k | a/.wh.x a->b | n", 1..=2, "a->b n", "a->b b/ b/k b/x=live n", No),
        case("place 2", "a/ a/x b/ b/x=live b/k | a->b a/.wh.x | n", 1..=2, "b/.wh.x a->b n", "a->b b/ b/k n", Yes),
        case("place 3", "a/ a/x b/ b/x=live | a/.wh..wh..opq a->b | n", 1..=2, "a->b n", "a->b b/ b/x=live n", No),
        case("place 4", "a/ a/x b/ b/x=live | ./ b/ a->b a/.wh..wh..opq | n", 1..=2, "./ b/ b/.wh..wh..opq a->b n", "./ a->b b/ n", No),
        case("place 5", "a/ a/x | a/.wh.x a=file | n", 1..=2, "a=file n", "a=file n", No),
        case("place 6", "a/ a/x | a=file a/.wh.x | n", 1..=2, "a=file n", "a=file n", Yes),
        case("place 7", "a/ a/x b/ b/x=live | a/x(c0:0) a->b | n", 1..=2, "a->b n", "a->b b/ b/x=live n", Yes),
        case("place 8", "a/ a/x b/ b/x=live | a/q/.wh.x a->b a/y | n", 1..=2, "a->b b/y n", "a->b b/ b/x=live b/y n", Yes),
        case("place 9", "b/ b/x=live c/ c/x | l->b k->l k/.wh.x l->c | n", 1..=2, "b/.wh.x k->l l->c n", "b/ c/ c/x k->l l->c n", Yes),
        // What a layer deletes stays deleted, whatever is deleted in it; an entry in it
        // makes it anew, and other whiteouts make the directories that they are in.
        case("deleted 1", "u/ u/a/(0700) u/a/x | u/.wh.a u/a/.wh.x | n", 1..=2, "u/.wh.a n", "n u/", Yes),
        case("deleted 2", "u/ u/a/(0700) u/a/b/ u/a/b/x | u/a/b/.wh.x u/.wh.a | n", 1..=2, "u/.wh.a n", "n u/", Yes),
        case("deleted 3", "u/ u/a/ u/a/x | u/.wh.a u/a/.wh..wh..opq | n", 0..=2, "u/ n", "n u/", Yes),
        case("deleted 4", "u/ u/a/ u/a/x u/a/y | u/.wh.a u/a/.wh.x u/a/z | n", 1..=2, "u/a/.wh..wh..opq u/a/z n", "n u/ u/a/(@0) u/a/z", Yes),
        case("deleted 5", "u/ u/a/ u/a/x | l->u l/.wh.a u/a/.wh.x | n", 1..=2, "u/.wh.a l->u n", "l->u n u/", Yes),
        case("deleted 6", "a/ a/b/(0700) a/b/x | a/ a/.wh..wh..opq a/b/.wh.x | n", 1..=2, "a/ a/.wh..wh..opq a/b/(@0) n", "a/ a/b/(@0) n", No),
        case("deleted 7", "a/ a/x | .wh.a a(c0:0) a/.wh.x | n", 1..=2, ".wh.a n", "n", Yes),
        case("twice 1", "a/ a/x a/y | a/ a/.wh.x ./a/.wh.x | n", 1..=2, "a/ a/.wh.x n", "a/ a/y n", Yes),
        case("twice 2", "a/ a/x | a/ a/.wh..wh..opq a/.wh..wh..opq | n", 1..=2, "a/ a/.wh..wh..opq n", "a/ n", Yes),
        // The target of a hard link is where its name leads in the layer, too.
        case("target", "d/ d/x=1 | d/ l->d b=>l/x | n", 1..=2, "b=1 d/ l->d n", "b=1 d/ d/x=1 l->d n", Yes),
        // A directory that only a marker mentions takes the place of a file.
        case("marker 1", "a=file | a/.wh.b | n", 1..=2, "a/(@0) n", "a/(@0) n", Yes),
        case("marker 2", "a=file | a/.wh..wh..opq | n", 1..=2, "a/(@0) n", "a/(@0) n", Yes),
        case("marker 3", "a/ a/x | a/.wh.x | n", 1..=2, "a/.wh.x n", "a/ n", No),
        // Implied directories are written where nothing is below, and nowhere else.
        case("implied 1", "a/b/c | d/e", 0..=1, "a/(@0) a/b/(@0) a/b/c d/(@0) d/e", "a/(@0) a/b/(@0) a/b/c d/(@0) d/e", No),
        case("implied 2", "z | a/b/c | a/(0700) d/e", 1..=2, "a/(0700) a/b/c d/e", "a/(0700) a/b/(@0) a/b/c d/(@0) d/e z", No),
        // Whiteouts go behind the entry of their directory, sorted.
        case("order 1", "d/ d/a d/b d/c e f | d/x d/ d/.wh.c d/.wh.a .wh.f | .wh.e d/.wh.b", 1..=2, ".wh.e .wh.f d/ d/.wh.a d/.wh.b d/.wh.c d/x", "d/ d/x", No),
        // A file stands where its content lies, a replaced one where the new content lies.
        case("order 2", "c=1 b=2 a=3 | b=4 | d->a c(0600)", 0..=2, "a=3 b=4 d->a c(0600)", "a=3 b=4 c(0600) d->a", No),
        // A file stands at its content, even if the name it had there is gone.
        case("order 3", "x=1 b=2 | a=>x | .wh.x", 0..=2, "a=1 b=2", "a=1 b=2", Yes),
        // Names of any bytes and any length.
        case("names", "a\\x20b\\xff/ a\\x20b\\xff/\\x0a=\\x00 | a\\x20b\\xff/ a\\x20b\\xff/.wh.\\x0a \\xc3\\x28->\\xff", 0..=1, "a\\x20b\\xff/ \\xc3\\x28->\\xff", "a\\x20b\\xff/ \\xc3\\x28->\\xff", No),
    ]
}

impl Case {
    /// How much of the input's tree the output has: a directory without an entry is the engine's to make.
    fn strictness(&self) -> Strictness {
        match self.range.start() {
            0 => Strictness::All,
            _ => Strictness::DefinedOnly,
        }
    }
}

/// Checks what the command makes of a case.
#[track_caller]
fn check(case: &Case, format: Format) {
    let what = format!("case {} from {format:?}", case.number);
    let layers = layer::stack(case.stack);
    let original = replay_for(&layers, std::slice::from_ref(&case.range));
    let sandbox = Sandbox::new();
    let image = Image::of_layers(&["app:1"], layers);
    let source = put(&sandbox, "in", format, &image);
    let squashed = squash(&sandbox, &source, &case.range, format);
    let (start, end) = (*case.range.start(), *case.range.end());
    let new = naive::entries(&squashed.stored[start]);
    assert_eq!(words(&new), case.squashed, "{what}: the new layer");
    assert_eq!(
        &squashed.image.diff_ids()[..start],
        &image.diff_ids[..start]
    );
    assert_eq!(
        &squashed.image.diff_ids()[start + 1..],
        &image.diff_ids[end + 1..]
    );
    let result = replay(&squashed.stored);
    assert_same(&original, &result, case.strictness(), &what);
    let warns = if squashed.warnings.is_empty() {
        No
    } else {
        Yes
    };
    assert_eq!(warns, case.warns, "{what}: {:?}", squashed.warnings);
}

#[track_caller]
fn check_all(cases: Vec<Case>) {
    for case in cases {
        for format in [Format::Docker, Format::Oci] {
            check(&case, format);
        }
    }
}

#[test]
fn deletions_are_merged() {
    check_all(deletions());
}

#[test]
fn opaque_directories_are_merged() {
    check_all(opaques());
}

#[test]
fn hard_links_are_merged() {
    check_all(links());
}

#[test]
fn changes_of_type_and_metadata_are_merged() {
    check_all(changes());
}

#[test]
fn what_the_cases_leave_open_is_as_decided() {
    check_all(decisions());
}

/// Case 40: what an opaque directory hides is hidden by one marker, however much it is.
#[test]
fn an_opaque_directory_hides_70_000_children() {
    let children = (0..70_000).map(|n| Entry::new(format!("d/{n:05}"), Kind::File(Vec::new())));
    let base: Vec<Entry> = entries("d/").into_iter().chain(children).collect();
    let layers = vec![
        tar(&base),
        tar(&entries("d/ d/.wh..wh..opq d/n")),
        tar(&entries("m")),
    ];
    let sandbox = Sandbox::new();
    let image = Image::of_layers(&["app:1"], layers);
    let source = put(&sandbox, "in", Format::Docker, &image);
    let squashed = squash(&sandbox, &source, &(1..=2), Format::Docker);
    assert_eq!(
        words(&naive::entries(&squashed.stored[1])),
        "d/ d/.wh..wh..opq d/n m"
    );
}

/// At the root engines do not know opaque markers, so there each name is removed for itself.
#[test]
fn an_opaque_root_hides_70_000_children() {
    let children = (0..70_000).map(|n| Entry::new(format!("{n:05}"), Kind::File(Vec::new())));
    let layers = vec![
        tar(&children.collect::<Vec<_>>()),
        tar(&entries(".wh..wh..opq 00001=new")),
        tar(&entries("m")),
    ];
    let sandbox = Sandbox::new();
    let image = Image::of_layers(&["app:1"], layers);
    let source = put(&sandbox, "in", Format::Docker, &image);
    let squashed = squash(&sandbox, &source, &(1..=2), Format::Docker);
    let whiteouts = (0..70_000)
        .filter(|n| *n != 1)
        .map(|n| format!(".wh.{n:05} "));
    let expected = whiteouts.collect::<String>() + "00001=new m";
    assert_eq!(
        digest(words(&naive::entries(&squashed.stored[1])).as_bytes()),
        digest(expected.as_bytes())
    );
}

/// Names and targets of every length about which a header has to decide something.
#[test]
fn names_and_targets_of_all_lengths_are_kept() {
    let mut layer = Vec::new();
    let mut links = Vec::new();
    let lengths = (97..104).chain(152..160).chain(252..260).chain([4095]);
    for length in lengths {
        let slashes = [0, 1, 98, 99, 100, 101, 154, 155, 156];
        for slash in slashes.into_iter().filter(|it| it + 1 < length) {
            // A file, a symlink, a directory and a hard link, each with a name of this length.
            let name = |first: u8| {
                let mut name = vec![b'n'; length];
                name[length - 1] = first;
                if slash > 0 {
                    name[slash] = b'/';
                }
                name
            };
            layer.push(Entry::new(name(b'f'), Kind::File(b"content".to_vec())));
            layer.push(Entry::new(name(b's'), Kind::Symlink(vec![b't'; length])));
            layer.push(Entry::new(
                [name(b'd'), b"/".to_vec()].concat(),
                Kind::Directory,
            ));
            links.push(Entry::new(name(b'h'), Kind::Link(name(b'f'))));
        }
    }
    layer.extend(links);
    let layers = vec![tar(&layer), tar(&entries("top"))];
    let original = replay(&layers);
    let sandbox = Sandbox::new();
    let image = Image::of_layers(&["app:1"], layers);
    let source = put(&sandbox, "in", Format::Docker, &image);
    let (exported, warnings) = sandbox.run(&["export", &source]).reports();
    assert_eq!(warnings, [""; 0]);
    assert_bytes(&exported);
    assert_same(&original, &replay(&[exported]), Strictness::All, "export");
}

/// The tables do not contradict themselves, nor the model.
#[test]
fn every_case_has_the_view_that_it_says() {
    let tables = [deletions(), opaques(), links(), changes(), decisions()];
    for case in tables.iter().flatten() {
        let what = format!("case {}", case.number);
        let layers = layer::stack(case.stack);
        let original = replay_for(&layers, std::slice::from_ref(&case.range));
        let view = original.text();
        let view: Vec<&str> = view.lines().collect();
        assert_eq!(view.join(" "), case.view, "{what}");
        let (below, above) = (
            &layers[..*case.range.start()],
            &layers[case.range.end() + 1..],
        );
        let squashed = [below, &layer::stack(case.squashed), above].concat();
        assert_same(&original, &replay(&squashed), case.strictness(), &what);
    }
}

/// Every number from 1 to 42 has its case; 40 is a test of its own.
#[test]
fn no_case_is_missing() {
    let tables = [deletions(), opaques(), links(), changes()];
    let cases = tables.iter().flatten();
    let number = |case: &Case| -> u32 {
        let digits = case.number.trim_end_matches(char::is_alphabetic);
        digits.parse().expect("a case has a number")
    };
    let mut numbers: Vec<u32> = cases.map(number).chain([40]).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (1..=42).collect::<Vec<_>>());
}
