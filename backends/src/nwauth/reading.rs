//! How long a read may take: as long as the disk does, or not at all.
//!
//! What the kernel has in memory is there in a microsecond, and then the way to
//! a blocking thread and back is all that a lookup costs. So a lookup first
//! asks for what is there at once (`RWF_NOWAIT`, see preadv2(2)) and goes to a
//! thread only if that is not enough. On a network file system even stat(2) can
//! hang, so nothing is read at once there.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;

use rustix::fs::{StatFs, fstatfs};
use rustix::io::{ReadWriteFlags, preadv2};

/// File systems whose stat(2) of a file that is open asks nobody else, by the
/// numbers that statfs(2) has for them.
const LOCAL: [u64; 6] = [
    0xef53,      // ext2, ext3, ext4
    0x0102_1994, // tmpfs
    0x5846_5342, // XFS
    0x794c_7630, // overlayfs
    0x9123_683e, // Btrfs
    0xf2f5_2010, // F2FS
];

/// Whether a read may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Only what is in memory; anything else is an error.
    AtOnce,
    /// For the disk, if need be.
    Patient,
}

impl Reading {
    /// Reads at `offset` as much as there is, 0 at the end.
    pub(super) fn read_at(self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Patient => file.read_at(buffer, offset),
            Self::AtOnce => {
                let buffers = &mut [IoSliceMut::new(buffer)];
                Ok(preadv2(file, buffers, offset, ReadWriteFlags::NOWAIT)?)
            }
        }
    }
}

/// Whether the file lies where nothing has to be asked of other machines.
pub(super) fn is_local(file: &File) -> bool {
    fstatfs(file).is_ok_and(|StatFs { f_type, .. }| LOCAL.contains(&(f_type as u64)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn both_ways_read_the_same() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"0123456789").expect("room");
        for (offset, expected) in [(0, &b"0123"[..]), (8, b"89"), (10, b""), (99, b"")] {
            let mut buffer = [0; 4];
            let read = Reading::Patient.read_at(&file, &mut buffer, offset).expect("readable");
            assert_eq!(&buffer[..read], expected);
            // Not every file system has reads that do not wait.
            if let Ok(read) = Reading::AtOnce.read_at(&file, &mut buffer, offset) {
                assert_eq!(&buffer[..read], expected);
            }
        }
    }

    #[test]
    fn a_file_of_the_kernels_is_not_local() {
        assert!(!is_local(&File::open("/proc/self/status").expect("on Linux")));
    }
}
