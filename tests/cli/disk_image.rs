//! A disk by the rules a file system keeps: what was synced is there after a power cut, of anything
//! else any part may be, in pieces of 512 bytes. A file's name is on disk only once its folder is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::dice::Dice;
use crate::failing::Note;

/// Written whole or not at all.
const SECTOR: usize = 512;

/// The files of one folder whose names begin with a word.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    prefix: String,
    files: Vec<File>,
    /// Names on disk.
    names: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not on disk yet.
    renamed: Vec<Named>,
    /// The file that an inode's number names now.
    inodes: BTreeMap<u64, usize>,
}

#[derive(Clone, Debug, Default)]
struct File {
    on_disk: Vec<u8>,
    waiting: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Clone, Debug)]
enum Named {
    Made(PathBuf, usize),
    Gone(PathBuf),
}

impl Disk {
    /// The files that are there now, all of them on disk.
    pub(crate) fn holding(folder: &Path, prefix: &str) -> Disk {
        let mut disk = Disk {
            folder: folder.to_owned(),
            prefix: prefix.to_owned(),
            files: Vec::new(),
            names: BTreeMap::new(),
            renamed: Vec::new(),
            inodes: BTreeMap::new(),
        };
        for entry in fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry"))
        {
            let path = entry.path();
            if disk.concerns(&path) {
                use std::os::unix::fs::MetadataExt;
                let inode = entry.metadata().expect("its inode").ino();
                disk.inodes.insert(inode, disk.files.len());
                disk.names.insert(path.clone(), disk.files.len());
                let on_disk = fs::read(&path).expect("its content");
                disk.files.push(File { on_disk, waiting: Vec::new() });
            }
        }
        disk
    }

    /// The index of shared memory is made anew after a crash, and written through memory anyway.
    fn concerns(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.parent() == Some(&self.folder)
            && name.starts_with(&self.prefix)
            && !name.ends_with("-shm")
    }

    /// One call of the program.
    pub(crate) fn apply(&mut self, note: &Note) {
        if note.operation == "sync" && note.path == self.folder {
            for change in std::mem::take(&mut self.renamed) {
                change.apply(&mut self.names);
            }
        }
        if !self.concerns(&note.path) {
            return;
        }
        let number = usize::try_from(note.number).expect("a small file");
        match note.operation.as_str() {
            "create" => {
                self.inodes.insert(note.inode, self.files.len());
                self.renamed.push(Named::Made(note.path.clone(), self.files.len()));
                self.files.push(File::default());
            }
            "unlink" => {
                self.renamed.push(Named::Gone(note.path.clone()));
            }
            "write" => self.file(note).waiting.push(Change::Write(number, note.bytes.clone())),
            "truncate" => self.file(note).waiting.push(Change::Truncate(number)),
            "sync" => {
                let File { on_disk, waiting } = self.file(note);
                waiting.drain(..).for_each(|change| change.apply(on_disk));
            }
            "nothing" => {}
            other => panic!("the store is never the object of `{other}`"),
        }
    }

    fn file(&mut self, note: &Note) -> &mut File {
        let file = self.inodes.get(&note.inode).expect("a known file");
        &mut self.files[*file]
    }

    /// Everything is on disk.
    pub(crate) fn undisturbed(mut self) -> Disk {
        for change in std::mem::take(&mut self.renamed) {
            change.apply(&mut self.names);
        }
        for File { on_disk, waiting } in &mut self.files {
            waiting.drain(..).for_each(|change| change.apply(on_disk));
        }
        self
    }

    /// The recording is whole: the real files are what this disk holds.
    #[track_caller]
    pub(crate) fn equals(&self, folder: &Path) {
        let real = Disk::holding(folder, &self.prefix);
        let names = |disk: &Disk| disk.names.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(self), names(&real));
        for (path, file) in &self.names {
            let (noted, real) = (&self.files[*file], &real.files[real.names[path]]);
            let lengths = (noted.on_disk.len(), real.on_disk.len());
            let differ = noted.on_disk.iter().zip(&real.on_disk).position(|(a, b)| a != b);
            assert!(noted.on_disk == real.on_disk, "{path:?}: {lengths:?}, differ at {differ:?}");
        }
    }

    /// One of the states the disk may be in when the power is cut now.
    pub(crate) fn after_a_cut(mut self, dice: &mut Dice) -> Disk {
        // All that waits is lost, or each with even chance, or each piece of it.
        let way = dice.below(3);
        for change in std::mem::take(&mut self.renamed) {
            if way > 0 && dice.below(2) == 0 {
                change.apply(&mut self.names);
            }
        }
        for file in &mut self.files {
            for change in std::mem::take(&mut file.waiting) {
                match change {
                    _ if way == 0 => {}
                    Change::Write(at, bytes) if way == 2 => {
                        let mut from = 0;
                        while from < bytes.len() {
                            let to = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
                            if dice.below(2) == 0 {
                                let piece = bytes[from..to].to_vec();
                                Change::Write(at + from, piece).apply(&mut file.on_disk);
                            }
                            from = to;
                        }
                    }
                    change if dice.below(2) == 0 => change.apply(&mut file.on_disk),
                    _ => {}
                }
            }
        }
        self
    }

    /// Writes what is on disk into a new folder.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder");
        for (path, file) in &self.names {
            let name = path.file_name().expect("a name");
            fs::write(folder.join(name), &self.files[*file].on_disk).expect("a file");
        }
    }
}

impl Named {
    fn apply(self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Named::Made(path, file) => drop(names.insert(path, file)),
            Named::Gone(path) => drop(names.remove(&path)),
        }
    }
}

impl Change {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Change::Truncate(length) => content.resize(length, 0),
            Change::Write(at, bytes) => {
                content.resize(content.len().max(at + bytes.len()), 0);
                content[at..at + bytes.len()].copy_from_slice(&bytes);
            }
        }
    }
}
