//! Text and the places in it. Every value that can be wrong remembers where it was written, so that an error in
//! something generated still points at the user's line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file of the fleet tree, as registered in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A byte range in one file of the tree. `start == end` marks a place between two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(file: FileId, range: std::ops::Range<usize>) -> Self {
        Span { file, start: range.start as u32, end: range.end as u32 }
    }

    /// The same file, another range relative to this span's start: for values that have a grammar of their own
    /// (relations, templates).
    pub fn within(self, range: std::ops::Range<usize>) -> Self {
        Span { file: self.file, start: self.start + range.start as u32, end: self.start + range.end as u32 }
    }
}

/// A value and where it was written. Comparison and hashing look at the value alone: moving a line in a file
/// changes nothing that is built.
#[derive(Debug, Clone, Copy)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Spanned<T> {
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), span: self.span }
    }
    pub fn as_ref(&self) -> Spanned<&T> {
        Spanned { value: &self.value, span: self.span }
    }
}
impl<T: AsRef<str>> Spanned<T> {
    /// The place of a part of the text, for values with a grammar of their own. Where the source spells the text
    /// differently from what it means (TOML escapes), there is no such place, and it is the whole value's.
    pub fn part(&self, range: std::ops::Range<usize>) -> Span {
        let written = (self.span.end - self.span.start) as usize;
        if written == self.value.as_ref().len() { self.span.within(range) } else { self.span }
    }
}
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
impl<T: Eq> Eq for Spanned<T> {}
impl<T: PartialOrd> PartialOrd for Spanned<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.value.partial_cmp(&other.value)
    }
}
impl<T: Ord> Ord for Spanned<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}
impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// One file's name (relative to the tree's root) and its text.
#[derive(Debug, Clone)]
pub struct SourceFile {
    pub path: PathBuf,
    pub text: Arc<str>,
}

/// All files that a [`Span`] can point into.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> FileId {
        self.files.push(SourceFile { path: path.into(), text: text.into() });
        FileId(self.files.len() as u32 - 1)
    }
    pub fn path(&self, file: FileId) -> &Path {
        &self.files[file.0 as usize].path
    }
    pub fn text(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].text
    }
    /// The text, shared.
    pub fn shared_text(&self, file: FileId) -> Arc<str> {
        self.files[file.0 as usize].text.clone()
    }
    pub fn snippet(&self, span: Span) -> &str {
        self.text(span.file).get(span.start as usize..span.end as usize).unwrap_or("")
    }
    /// Line and column of a byte offset, both from 1; the column counts characters, as editors do.
    pub fn line_column(&self, file: FileId, offset: u32) -> (usize, usize) {
        let text = self.text(file);
        let mut end = (offset as usize).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}
