//! Odd but valid messages, for tests of everything that carries messages.

/// Requests that are odd but valid. Each has an id and a method, and has to arrive unchanged except for its id.
pub const ODD_REQUESTS: &[&str] = &[
    // Unknown members, at each level.
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{},"x-new":[1]},"extra":null}"#,
    r#"{"vendor":{"a":{"b":[]}},"jsonrpc":"2.0","id":"x","method":"vendor/do","params":{"_meta":{"vendor.example/k":1}}}"#,
    // Number forms that a typed model changes.
    r#"{"jsonrpc":"2.0","id":1.0,"method":"m","params":{"n":[1.0,1e2,1E+2,0.1000,-0,-0.0,1e999,12345678901234567890123]}}"#,
    r#"{"jsonrpc":"2.0","id":9223372036854775808,"method":"m","params":{}}"#,
    r#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"m"}"#,
    r#"{"jsonrpc":"2.0","id":-7,"method":"m"}"#,
    r#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#,
    r#"{"jsonrpc":"2.0","id":0,"method":"m"}"#,
    // Strings: escapes, surrogates, control characters, other scripts.
    r#"{"jsonrpc":"2.0","id":"\u0061\/\"\\","method":"m","params":{"s":"\u0000\b\f\n\r\t\ud83d\ude00\u2028"}}"#,
    r#"{"jsonrpc":"2.0","id":"Ünïcödé-日本語-😀","method":"m","params":{"日本":"\ud800 alone"}}"#,
    r#"{"jsonrpc":"2.0","id":"","method":"m"}"#,
    r#"{"jsonrpc":"2.0","id":"1","method":"to\u006fls\/call","params":{"name":"e"}}"#,
    r#"{"jsonrpc":"\u0032.0","id":"2","method":"m"}"#,
    // Key orders and spaces.
    r#"{"params":{"arguments":{"b":1,"a":2},"name":"echo"},"method":"tools/call","id":3,"jsonrpc":"2.0"}"#,
    " { \"jsonrpc\" : \"2.0\" ,\t\"id\" : 4 , \"method\" : \"m\" , \"params\" : { } } ",
    // Duplicate keys that are not significant.
    r#"{"jsonrpc":"2.0","id":5,"method":"m","params":{"arguments":{"a":1,"a":2}}}"#,
    // Parameters by position, and empty ones.
    r#"{"jsonrpc":"2.0","id":6,"method":"m","params":[1,{"_meta":{"progressToken":1}}]}"#,
    r#"{"jsonrpc":"2.0","id":7,"method":"m","params":[]}"#,
    // Significant names in insignificant places.
    r#"{"jsonrpc":"2.0","id":8,"method":"m","params":{"arguments":{"id":1,"method":"x","_meta":{"progressToken":5}}}}"#,
    r#"{"jsonrpc":"2.0","id":9,"method":"m","params":{"_meta":{"progressToken":"\u0061","x":{"progressToken":2}}}}"#,
    // Nested deeply, but within bounds.
    r#"{"jsonrpc":"2.0","id":10,"method":"m","params":{"a":[[[[[[[[[[[[[[[[[[[[{"b":[]}]]]]]]]]]]]]]]]]]]]]}}"#,
];

/// Results that are odd but valid: the value of `result`.
pub const ODD_RESULTS: &[&str] = &[
    "{}",
    "null",
    "[]",
    "\"text\"",
    "1.50",
    r#"{"content":[{"type":"new-kind","data":{"deep":[1.0,2e-3]}}],"structuredContent":{"z":1,"a":2.50},"isError":false}"#,
    r#"{"tools":[{"name":"t","inputSchema":{"$defs":{"x":{"$anchor":"y"}},"if":{},"then":{}},"x-vendor":true}],"ttlMs":0}"#,
    r#"{"action":"accept","messages":[],"tools":null,"_meta":{"a/b":{"c":null}}}"#,
    "{ \"content\" : [ { \"type\" : \"text\" , \"text\" : \"\\u00e9\\ud83d\\ude00\" } ] }",
];

/// Bytes that are not a message.
pub const NOT_MESSAGES: &[(&str, &[u8])] = &[
    ("empty", b""),
    ("spaces", b"  \n "),
    ("truncated", br#"{"jsonrpc":"2.0","id":1,"method":"pi"#),
    ("a string", b"\"ping\""),
    ("a number", b"1"),
    ("null", b"null"),
    ("text behind it", br#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#),
    ("two messages", br#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}"#),
    ("a trailing comma", br#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#),
    ("not UTF-8", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}"),
    ("a cut UTF-8 sequence", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xe6\x97\"}"),
    ("a NUL byte", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\0b\"}"),
    ("a control character", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\nb\"}"),
    ("a bad escape", br#"{"jsonrpc":"2.0","id":1,"method":"\x61"}"#),
    ("a short \\u", br#"{"jsonrpc":"2.0","id":1,"method":"\u00"}"#),
    ("a leading zero", br#"{"jsonrpc":"2.0","id":01,"method":"ping"}"#),
    ("NaN", br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":NaN}}"#),
    ("a bare minus", br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":-}}"#),
    ("single quotes", b"{'jsonrpc':'2.0','id':1,'method':'ping'}"),
    ("a comment", br#"{"jsonrpc":"2.0",/*c*/"id":1,"method":"ping"}"#),
    ("no version", br#"{"id":1,"method":"ping"}"#),
    ("another version", br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#),
    ("two versions", br#"{"jsonrpc":"1.0","jsonrpc":"2.0","id":1,"method":"ping"}"#),
    ("a method that is no text", br#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#),
    ("a null id", br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#),
    ("an object id", br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#),
    ("an array id", br#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#),
    ("a boolean id", br#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#),
    ("two ids", br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#),
    (
        "two methods, one in escapes",
        br#"{"jsonrpc":"2.0","id":1,"method":"ping","meth\u006fd":"tools/call"}"#,
    ),
    ("a method that is no string", br#"{"jsonrpc":"2.0","id":1,"method":7}"#),
    ("parameters that are no structure", br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":7}"#),
    ("nothing but a version", br#"{"jsonrpc":"2.0"}"#),
    ("a result and an error", br#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}"#),
    ("a result without an id", br#"{"jsonrpc":"2.0","result":{}}"#),
    ("a method and a result", br#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#),
];

/// A message nested `depth` levels deep, including its own level.
#[must_use]
pub fn nested(depth: usize) -> String {
    let inner = depth.saturating_sub(2);
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"a":{}{}}}}}"#,
        "[".repeat(inner),
        "]".repeat(inner)
    )
}

/// A tool call with an argument of `bytes` bytes of text.
#[must_use]
pub fn call_with_text(id: u64, bytes: usize) -> String {
    let text = "lorem ipsum ".repeat(bytes / 12 + 1);
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{}"}}}}}}"#,
        &text[..bytes]
    )
}
