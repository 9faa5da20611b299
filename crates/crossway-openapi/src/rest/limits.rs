//! Every bound of OpenAPI documents, with its default and the reason for it.

/// The longest document: 16 MiB. GitHub's, the longest one in common use, has 12.
pub const DOCUMENT_BYTES: usize = 16 << 20;
/// The most values of a document: 1,000,000, which take about 100 MiB while it is read. GitHub's has fewer
/// than half of that.
pub const DOCUMENT_VALUES: usize = 1_000_000;
/// The most text that the aliases of a YAML document may repeat: 4 MiB. Aliases that people write repeat a
/// few KiB.
pub const DOCUMENT_REPEATED_BYTES: usize = 4 << 20;
/// The deepest nesting of a document: 96 levels. Documents that people write have 30.
pub const DOCUMENT_DEPTH: usize = 96;
/// The longest `ETag` that is sent back: 1 KiB. Servers make them from hashes.
pub const VALIDATOR_BYTES: usize = 1 << 10;
/// The most operations of a document that become tools: 500. No model chooses well among that many; filters
/// reduce their number first.
pub const TOOLS: usize = 500;
/// The most parameters of an operation: 128.
pub const PARAMETERS: usize = 128;
/// The most alternatives of an operation's security schemes that are checked, and the most schemes of each:
/// 16. There is no warning about further ones.
pub const SECURITY: usize = 16;
/// The longest chain of references: 16. A longer one is a circle.
pub const REFERENCES: usize = 16;
/// The most values of a tool's schema with its references replaced: 2,000. With more, or where schemas refer
/// to themselves, references stay as they are.
pub const INLINED_VALUES: usize = 2_000;
/// The most values of all schemas of a tool: 20,000.
pub const SCHEMA_VALUES: usize = 20_000;
/// The most places of a tool's schemas that are searched for members that are read-only or write-only:
/// 100,000. Beyond that, only members that say so themselves are left out.
pub const SCHEMA_LOOKS: usize = 100_000;
/// The most text of a tool's schemas before the length of its definition is known: 1 MiB. Most of it is
/// descriptions, which are cut afterwards.
pub const SCHEMA_BYTES: usize = 1 << 20;
/// The deepest nesting of a tool's schema: 64 levels.
pub const SCHEMA_DEPTH: usize = 64;
/// The longest definition of a tool: 128 KiB, more than fits into a model's context.
pub const TOOL_BYTES: usize = 128 << 10;
/// The longest name of a tool: 64, the bound of the APIs of models.
pub const NAME_BYTES: usize = 64;
/// The longest description of a tool: 4 KiB.
pub const DESCRIPTION_BYTES: usize = 4 << 10;
/// The longest URL of a request: 32 KiB. Servers accept 8 to 64.
pub const URL_BYTES: usize = 32 << 10;
/// The most bytes of arguments in one header, and in all cookies together: 8 KiB. Servers accept as much of
/// all headers together.
pub const HEADER_BYTES: usize = 8 << 10;
/// The deepest nesting of arguments that become members of a query: 8 levels.
pub const QUERY_DEPTH: usize = 8;
/// The most characters of a name that an error or the log quotes: 64. Real names are shorter, and a document
/// may come from a stranger.
pub const QUOTED_NAME_CHARS: usize = 64;
/// The most characters of a path, of a reference or of the URL of an operation's server that are quoted: 128,
/// enough to find it in the document.
pub const QUOTED_PATH_CHARS: usize = 128;
/// The most characters of a document's own URL that are quoted: 256. Most URLs are shorter.
pub const QUOTED_URL_CHARS: usize = 256;
/// The most characters of a document's version that are quoted: 32.
pub const QUOTED_VERSION_CHARS: usize = 32;
/// The most media types that are named of a body that can't be sent: 4.
pub const QUOTED_MEDIA_TYPES: usize = 4;
