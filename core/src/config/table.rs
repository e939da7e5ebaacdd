//! The table of settings: what each one is called, means, and is without a
//! line of its own.
//!
//! The macro `settings!` makes one group of it. From one text per setting it
//! makes the field of the typed struct with its documentation, the [`Row`]
//! that the manual and the checks read, and the line that builds the field, so
//! the three cannot differ.

/// A setting, as the manual shows it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The name in the file.
    pub name: &'static str,
    /// Whether several lines may set it.
    pub repeatable: bool,
    /// What it is if no line sets it.
    pub default: Unset,
    /// What it means: paragraphs of Markdown, hard-wrapped.
    pub meaning: &'static str,
    /// A line to copy.
    pub example: &'static str,
    /// What its value looks like; completes "the setting needs …".
    pub expects: fn() -> String,
}

/// What a setting is if no line sets it: its default, for want of one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    /// There must be a line.
    Compulsory,
    /// As if this were its value.
    Value(&'static str),
    /// What this other setting is.
    SameAs(&'static str),
    /// Nothing; the text says what that means.
    Nothing(&'static str),
}

/// Settings that belong together, as the manual shows them.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// What they are about: paragraphs of Markdown, hard-wrapped.
    pub about: &'static str,
    /// The settings.
    pub rows: &'static [Row],
}

/// The settings of one kind of file: what its lines may be called, and its
/// manual.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary {
    /// The name that the file usually has: the title of the manual.
    pub file: &'static str,
    /// How the file is written, in Markdown: the first words of the manual.
    pub introduction: &'static str,
    /// The settings, in the order of the manual.
    pub groups: &'static [Group],
    /// Settings of the original that have no effect here: a line with one of
    /// them gives a warning that says so. Sorted.
    pub not_used: &'static [&'static str],
}

impl Vocabulary {
    /// The setting called `name`.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<&'static Row> {
        self.rows().find(|row| row.name == name)
    }

    /// All settings, in the order of the manual.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> + use<> {
        self.groups.iter().flat_map(|group| group.rows)
    }
}

/// Declares a group of settings. A field reads
///
/// ```text
/// /// The meaning.
/// field: Type = how("name", kind), default: Unset, example: "name value";
/// ```
///
/// in which `how` is a method of [`Given`](crate::config::Given): `one` value,
/// `optional` (an `Option`) or `many` (a `Vec`, from several lines).
#[macro_export]
macro_rules! settings {
    (
        title: $title:literal;
        $(#[doc = $about:literal])*
        pub struct $group:ident {
            $(
                $(#[doc = $meaning:literal])*
                $field:ident: $type:ty = $how:ident($name:literal, $kind:expr),
                    default: $default:expr, example: $example:literal;
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone)]
        pub struct $group {
            $(
                $(#[doc = $meaning])*
                #[doc = concat!("\n\nThe setting `", $name, "`.")]
                pub $field: $type,
            )*
        }

        impl $group {
            /// How the manual shows these settings.
            pub const GROUP: $crate::config::Group = $crate::config::Group {
                title: $title,
                about: concat!($($about, "\n"),*),
                rows: &[$(
                    $crate::config::Row {
                        name: $name,
                        repeatable: $crate::config_repeatable!($how),
                        default: $default,
                        meaning: concat!($($meaning, "\n"),*),
                        example: $example,
                        expects: || $kind.expects,
                    },
                )*],
            };

            /// Takes the values of these settings; `None` if one that has no
            /// default is missing or bad, which is reported.
            pub fn build(
                given: &mut $crate::config::Given<'_>,
            ) -> Option<Self> {
                // All are taken before the first `?`, so that all are judged.
                let ($($field,)*) = ($(given.$how($name, &$kind),)*);
                Some(Self { $($field: $field?),* })
            }
        }
    };
}

/// Whether a method of `Given` takes several lines.
#[doc(hidden)]
#[macro_export]
macro_rules! config_repeatable {
    (many) => {
        true
    };
    (one) => {
        false
    };
    (optional) => {
        false
    };
}
