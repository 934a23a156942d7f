//! Memory of a call: its arguments laid out as a test needs them.

use super::faults::Edit;
#[cfg(unix)]
use crate::guard::Guarded;

/// How the arguments of a call lie in memory.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Layout {
    /// Far enough from each other, in one piece that is compared before and after.
    Apart,
    /// Side by side: a call that succeeds shows that neighbours are no overlap.
    Adjacent,
    /// Each with an inaccessible page after its last byte, or before its first.
    #[cfg(unix)]
    Guarded { at_end: bool },
}

/// Memory of one call.
pub(super) struct World {
    pub(super) layout: Layout,
    pub(super) memory: Vec<u64>,
    #[cfg(unix)]
    pub(super) guarded: Vec<Guarded>,
    pub(super) blocks: Vec<Block>,
    pub(super) arguments: Vec<usize>,
}

#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) address: usize,
    pub(super) len: usize,
    pub(super) scratch: bool,
}

const GAP: usize = 512;
const MEMORY: usize = 1 << 15;

impl World {
    pub(super) fn new(layout: Layout) -> World {
        let (memory, blocks, arguments) = (vec![0x5A5A_5A5A_5A5A_5A5A; MEMORY / 8], Vec::new(), Vec::new());
        #[cfg(unix)]
        return World { layout, memory, guarded: Vec::new(), blocks, arguments };
        #[cfg(not(unix))]
        World { layout, memory, blocks, arguments }
    }

    /// Bytes of a block that is not guarded, and of what follows it.
    pub(super) fn bytes_from(&mut self, address: usize) -> &mut [u8] {
        let start = address - self.memory.as_ptr().addr();
        &mut bytemuck::cast_slice_mut(&mut self.memory)[start..]
    }

    pub(super) fn address(&self, block: usize) -> usize {
        self.blocks[block].address
    }

    pub(super) fn add(&mut self, content: &[u8], scratch: bool) -> usize {
        let start = self.memory.as_ptr().addr();
        let end = self.blocks.last().map_or(start, |last| last.address + last.len);
        let address = match self.layout {
            Layout::Apart => (end + GAP).next_multiple_of(64),
            Layout::Adjacent => end.next_multiple_of(8),
            #[cfg(unix)]
            Layout::Guarded { at_end } => {
                let mut guarded = Guarded::new(content.len());
                let address = guarded.place(content, at_end).as_ptr().expose_provenance();
                self.guarded.push(guarded);
                self.blocks.push(Block { address, len: content.len(), scratch });
                return self.blocks.len() - 1;
            }
        };
        assert!(address + content.len() + GAP < start + MEMORY, "a larger memory is needed");
        self.bytes_from(address)[..content.len()].copy_from_slice(content);
        self.blocks.push(Block { address, len: content.len(), scratch });
        self.blocks.len() - 1
    }

    pub(super) fn words(&mut self, words: &[usize]) -> usize {
        self.add(bytemuck::cast_slice(words), false)
    }

    pub(super) fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Argument(i, value) => self.arguments[*i] = *value,
            Edit::Memory { block, offset, bytes } => {
                let address = self.address(*block) + offset;
                self.bytes_from(address)[..bytes.len()].copy_from_slice(bytes);
            }
            Edit::DependsOn { .. } | Edit::DependsOnArgument(_) => {}
        }
    }

    /// Everything but work memory.
    pub(super) fn image(&mut self) -> Vec<u8> {
        let scratch: Vec<Block> = self.blocks.iter().copied().filter(|b| b.scratch).collect();
        let start = self.memory.as_ptr().addr();
        let mut image = self.bytes_from(start).to_vec();
        for block in scratch {
            image[block.address - start..][..block.len].fill(0);
        }
        image
    }
}
