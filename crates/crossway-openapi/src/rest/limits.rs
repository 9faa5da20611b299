//! Every bound of OpenAPI documents, with its default and the reason for it.

/// How long a document may be: 16 MiB. GitHub's, the longest that is in common use, has 12.
pub const DOCUMENT_BYTES: usize = 16 << 20;
/// How many values a document may have: 1,000,000, about 100 MiB while it is read. GitHub's has fewer than half of that.
pub const DOCUMENT_VALUES: usize = 1_000_000;
/// How much text aliases of a YAML document may repeat: 4 MiB. Those that people write repeat a few KiB.
pub const DOCUMENT_REPEATED_BYTES: usize = 4 << 20;
/// How deep a document may be: 96 levels. Those that people write have 30.
pub const DOCUMENT_DEPTH: usize = 96;
/// How long an `ETag` may be that is sent back: 1 KiB. Servers make them of hashes.
pub const VALIDATOR_BYTES: usize = 1 << 10;
/// How many operations of a document may be tools: 500. No model chooses well among as many, and filters choose before.
pub const TOOLS: usize = 500;
/// How many parameters an operation may have: 128.
pub const PARAMETERS: usize = 128;
/// How many alternatives of an operation's security schemes are looked at, and how many schemes of each: 16. Of more, nobody is warned.
pub const SECURITY: usize = 16;
/// How many references may lead from one to the next: 16. More is a circle.
pub const REFERENCES: usize = 16;
/// How many values a tool's schema may have with its references in their places: 2,000. With more, or where schemas refer to
/// themselves, references stay as they are.
pub const INLINED_VALUES: usize = 2_000;
/// How many values a tool's schemas may have in all: 20,000.
pub const SCHEMA_VALUES: usize = 20_000;
/// How often it is looked at a tool's schemas for members that are read only or write only: 100,000 times. Of more, those are left out that
/// say so themselves.
pub const SCHEMA_LOOKS: usize = 100_000;
/// How much text a tool's schemas may have before it is known how long its definition is: 1 MiB, of which descriptions that
/// are cut are the most.
pub const SCHEMA_BYTES: usize = 1 << 20;
/// How deep a tool's schema may be: 64 levels.
pub const SCHEMA_DEPTH: usize = 64;
/// How long a tool's definition may be: 128 KiB, more than a model has room for.
pub const TOOL_BYTES: usize = 128 << 10;
/// How long a tool's name may be: 64, as models' APIs have it.
pub const NAME_BYTES: usize = 64;
/// How much of a description is told: 4 KiB.
pub const DESCRIPTION_BYTES: usize = 4 << 10;
/// How long the URL of a request may be: 32 KiB. Servers take 8 to 64.
pub const URL_BYTES: usize = 32 << 10;
/// How much of arguments one header may have, cookies together: 8 KiB. Servers take that of all of them.
pub const HEADER_BYTES: usize = 8 << 10;
/// How deep arguments may be that become members of a query: 8 levels.
pub const QUERY_DEPTH: usize = 8;
/// How much of a name is quoted in an error or the log: 64 characters. Names are shorter, and a document may be a stranger's.
pub const QUOTED_NAME_CHARS: usize = 64;
/// How much of a path, a reference or the URL of an operation's server is quoted: 128 characters, in which it can be found in the document.
pub const QUOTED_PATH_CHARS: usize = 128;
/// How much of a document's own URL is quoted: 256 characters. Most are told whole with it.
pub const QUOTED_URL_CHARS: usize = 256;
/// How much of a document's version is quoted: 32 characters.
pub const QUOTED_VERSION_CHARS: usize = 32;
/// How many media types are named of a body that can't be sent: 4.
pub const QUOTED_MEDIA_TYPES: usize = 4;
