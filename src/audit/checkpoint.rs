//! Checkpoints (c2sp.org/tlog-checkpoint): a signed statement of how many records an epoch has, and
//! of the root of their tree.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use openssl::error::ErrorStack;

use super::{
    note::{self, NotSigned, Signer, Verifier},
    tree::{Edge, Hash},
};

/// What a checkpoint states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The epoch: each has a tree, and therefore an origin, of its own.
    pub epoch: u64,
    /// How many records it covers.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

/// Why a note is no checkpoint of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACheckpoint {
    /// It is not believed.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// It is signed, but states something else.
    #[error("is signed, but is no checkpoint of a journal")]
    Form,
}

/// The name of an epoch's tree: the journal's, and the epoch behind it.
pub fn origin(journal: &str, epoch: u64) -> String {
    format!("{journal}/{epoch}")
}

impl Checkpoint {
    /// What can be said of a tree.
    pub fn of(epoch: u64, tree: &Edge) -> Self {
        Self { epoch, size: tree.size(), root: tree.root() }
    }

    /// The signed note.
    ///
    /// # Errors
    /// When OpenSSL can't sign.
    pub fn sign(&self, key: &Signer) -> Result<String, ErrorStack> {
        let (origin, root) = (origin(key.name(), self.epoch), STANDARD.encode(self.root));
        key.sign(&format!("{origin}\n{}\n{root}\n", self.size))
    }

    /// Reads a signed note.
    ///
    /// # Errors
    /// [`NotACheckpoint`].
    pub fn open(signed: &str, keys: &[Verifier]) -> Result<Self, NotACheckpoint> {
        Self::read(note::open(signed, keys)?).ok_or(NotACheckpoint::Form)
    }

    /// Reads what a note states. Lines behind the third are extensions, which are not for us.
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (_, epoch) = lines.next()?.rsplit_once('/')?;
        let (size, root) = (lines.next()?, lines.next()?);
        let number =
            |text: &str| text.parse().ok().filter(|number: &u64| number.to_string() == text);
        let root = STANDARD.decode(root).ok()?.try_into().ok()?;
        Some(Self { epoch: number(epoch)?, size: number(size)?, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree;

    #[test]
    fn a_checkpoint_is_read_as_it_was_signed() {
        let signer = Signer::read(&Signer::generate("gateway.example/audit").unwrap()).unwrap();
        let keys = [signer.verifier().unwrap()];
        let mut tree = Edge::default();
        tree.push(tree::leaf(b"one"));
        let checkpoint = Checkpoint::of(7, &tree);
        let note = checkpoint.sign(&signer).unwrap();
        assert!(note.starts_with("gateway.example/audit/7\n1\n"), "{note}");
        assert_eq!(Checkpoint::open(&note, &keys), Ok(checkpoint));
        let forged = note.replacen("\n1\n", "\n2\n", 1);
        assert_eq!(Checkpoint::open(&forged, &keys), Err(NotSigned::Forged.into()));
        for text in ["", "x\n1\n", "a/1\n01\nAAAA\n", "a/1\n1\nAAAA\n", "a/1\n-1\n"] {
            let note = signer.sign(text).unwrap();
            assert!(Checkpoint::open(&note, &keys).is_err(), "{text}");
        }
    }
}
