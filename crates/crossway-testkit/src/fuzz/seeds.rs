//! The fuzzer's seed inputs, written into `fuzz/corpus` by `cargo run -p crossway-testkit --example seeds`.

use crate::corpus::{NOT_MESSAGES, ODD_REQUESTS, ODD_RESULTS};

/// The targets that have seeds.
pub const TARGETS: [&str; 8] =
    ["line", "sse", "envelope", "headers", "calls", "streamable_http_head", "http_sse_head", "openapi"];

/// The seed inputs of a target.
///
/// # Panics
///
/// When there is no target of this name.
#[must_use]
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "line" => lines(),
        "sse" => streams(),
        "envelope" => messages(),
        "headers" => heads(),
        "calls" => calls(),
        "streamable_http_head" => streamable_http(),
        "http_sse_head" => http_sse(),
        "openapi" => documents(),
        _ => panic!("there is no target {target}"),
    }
}

fn owned(inputs: &[&[u8]]) -> Vec<Vec<u8>> {
    inputs.iter().map(|input| input.to_vec()).collect()
}

fn lines() -> Vec<Vec<u8>> {
    let all = [&ODD_REQUESTS.join("\n").into_bytes()[..]];
    let mut inputs = vec![[b"\x7f\x07", &all.concat()[..]].concat()];
    inputs.extend(owned(&[
        b"\x08\x03\xEF\xBB\xBF{}\r\n\r\n  \n{\"a\":1}\n123456789\r\nabc",
        b"\x88\x05{}\n{}\n12345678\r\n12345678\r\r\n\xEF\xBB\xBF{}\n",
        b"\x04\x02too long\nand\nagain too long\r",
        b"\x00\x09\n\r\n\xEF\xBB",
    ]));
    inputs
}

fn streams() -> Vec<Vec<u8>> {
    owned(&[
        b"\x00\x03event: endpoint\ndata: /message?sessionId=1\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\"}\n\n",
        b"\x00\x04\xEF\xBB\xBFid: 1\r\nretry: 500\r\ndata:\r\n\r\nid\ndata\ndata: a\rdata: b\r\rdata: c\r\n\r\n: ping\n\n",
        b"\x00\x05id: a\0b\nretry: 1x\nretry: 18446744073709551616\nunknown: x\ndatax\nevent\ndata:  two\n\n",
        b"\x08\x06data: 123456789\nid: lost\n\ndata: 1234\ndata: 567\n\nevent: e\ndata: fits\nid: kept\n\ndata: cut",
        b"\x03\x07data\ndata\ndata\ndata\ndata\n\n:\n\nretry: 7\n\n",
        b"\x00\x02s1-7\nnotice\n{\"a\":\r\n1}\n",
    ])
}

fn messages() -> Vec<Vec<u8>> {
    let default = |text: &[u8]| [b"\x00\x35", text].concat();
    let mut inputs: Vec<_> = ODD_REQUESTS.iter().map(|text| default(text.as_bytes())).collect();
    inputs.extend(NOT_MESSAGES.iter().map(|(_, text)| default(text)));
    inputs.extend(
        ODD_RESULTS
            .iter()
            .map(|result| default(format!(r#"{{"result":{result},"id":"a","jsonrpc":"2.0"}}"#).as_bytes())),
    );
    inputs.push(default(format!("[{},{}]", ODD_REQUESTS[3], ODD_REQUESTS[5]).as_bytes()));
    inputs.extend(owned(&[
        br#" 2{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a","reason":"r"}}"#,
        br#" 3{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1.0,"progress":2}}"#,
        br#" A{"jsonrpc":"2.0","method":"m","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"}}}"#,
        br#" Q{"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":1},"protocolVersion":"2025-11-25"}}"#,
        br#" a{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}"#,
        br#" q{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b","_meta":{"progressToken":"t","io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
        b"\x83x{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{}}}",
        b"\x9ax[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"},{\"jsonrpc\":\"2.0\",\"method\":\"m\"}]",
        b" =1.0\n10e-1",
        b" =\"a/b\"\n\"\\u0061\\/b\"",
        b" =\"\\ud800\"\n\"\\udc00\"",
        b" =9223372036854775808\n9223372036854775809",
        b" =\"a\" \n1 ",
        b" =\"\\ud800\"\n\"\\\"\\\\ud800\\\"\"",
        b" =\"\xff\"\n1",
        b" 5{\"jsonrpc\":\"1.0\",\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}",
        b" 5{\"jsonrpc\":\"\\u0032.0\",\"id\":1,\"method\":\"\\ud800\"}",
        b" 5\xEF\xBB\xBF\xEF\xBB\xBF{\"jsonrpc\":\"2.0\",\"method\":\"m\"}",
        b"\x8a5{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"_meta\":[]}}",
        b"\x895{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{}}",
        br#" 5{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"progressToken":{}},"requestId":null}}"#,
    ]));
    inputs
}

fn heads() -> Vec<Vec<u8>> {
    owned(&[
        b"0/mcp\nHost: localhost:8808\nAccept: application/json, text/event-stream\nContent-Type: application/json\nMCP-Protocol-Version: 2025-11-25\nMcp-Session-Id: 1868a90c",
        b"1http://[::1]:80/mcp\nHost: [0:0::1]\nOrigin: http://localhost:3000\nAccept: */*;q=0.1\nAccept: text/event-stream;q=0\nContent-Type: application/json; charset=\"UTF-8\"\nLast-Event-ID: s1-7",
        b"2/\nHost: evil.example\nOrigin: null\nMCP-Protocol-Version: 2026-07-28\nMcp-Method: tools/call\nMcp-Name: =?base64?ZWNobw==?=\nMcp-Param-Region: x",
        b"3/\nHost: a.\nHost: b\nOrigin: https://user@[::ffff:127.0.0.1]:65536\nAccept: text/*;a=\"x,\\\"y\", application/*\nContent-Type: text/html\n",
        b"4/\nHost: a\nAccept: text/event-stream;q=0, text/event-stream, application/json\nAccept: application/json;q=0",
        "vHello, 世界".as_bytes(),
        b"v=?base64?SGVsbG8sIOS4lueVjA==?=",
        b"v padded ",
        b"v=?base64?=",
        b"ntools/call\necho",
        "nresources/read\nfile:///ü\t".as_bytes(),
        b"ntasks/get\nt-1",
        br#"p{"properties":{"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"},"f":{"properties":{"b":{"type":["null","boolean"],"x-mcp-header":"B"}}}}}
{"region":"K\u00f6ln","n":4.2e1,"f":{"b":true}}
Mcp-Param-Region: Bonn"#,
        br#"p{"properties":{"a":{"properties":{"b":{"type":"string","x-mcp-\u0068eader":"A"}}}}}
{"a":{"b":"1"},"a":{"b":null}}"#,
        br#"p{"items":{"properties":{"b":{"type":"string","x-mcp-header":"A"}}}}
{"b":9007199254740992}"#,
        b"aExample.COM.:80\nexample.com:080",
        b"a[::ffff:127.0.0.1]:8808\n127.0.0.1:8808",
        b"a1.2.3.4.\na_b-c.d:",
        b"ohttps://app.example.com\nHTTPS://APP.example.com:443",
        b"ovscode-webview://x\nvscode-webview://x",
    ])
}

fn calls() -> Vec<Vec<u8>> {
    // Three bytes per step, after the limit: the step, and its two choices.
    owned(&[
        b"\x04\x00\x00\x40\x00\x01\x01\x00\x02\x02\x02\x00\x01\x03\x00\x00\x04\x01\x00\x05\x01\x00\x06\x00\x00\x07\x00\x00\x02\x03\x00",
        b"\x02\x00\x00\x44\x00\x00\x48\x00\x00\x4c\x06\x01\x01\x06\x02\x02\x07\x00\x00\x00\x07\x41\x02\x02\x01\x08\x05\x00\x07\x00\x00",
        b"\x00\x00\x00\x00\x02\x00\x00\x08\x0a\x00",
    ])
}

const POST: &str = "POST /mcp\nHost: localhost\nAccept: application/json, text/event-stream\nContent-Type: application/json\n";
const GET: &str = "GET /mcp\nHost: localhost\nAccept: text/event-stream\n";

/// Joins requests, each with how it is sent: see [`http`](super::http).
fn requests(requests: &[(char, &str, &str, &str)]) -> Vec<u8> {
    let text =
        requests.iter().map(|(manner, start, headers, body)| format!("{manner}{start}{headers}\n{body}"));
    text.collect::<Vec<_>>().join("\0").into_bytes()
}

fn initialize(revision: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":"i","method":"initialize","params":{{"protocolVersion":"{revision}","capabilities":{{}},"clientInfo":{{"name":"c","version":"0"}}}}}}"#
    )
}

fn call(id: &str, name: &str, meta: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}","arguments":{{"a":1.0}}{meta}}}}}"#
    )
}

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const CANCELLED: &str = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#;
const IN_SESSION: &str = "Mcp-Session-Id: $S\n";
const TOKEN: &str = r#","_meta":{"progressToken":1.0}"#;
const MODERN: &str = r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn streamable_http() -> Vec<Vec<u8>> {
    let versioned = "Mcp-Session-Id: $S\nMCP-Protocol-Version: 2025-11-25\n";
    let modern =
        |method: &str, name: &str| format!("MCP-Protocol-Version: 2026-07-28\nMcp-Method: {method}\n{name}");
    let modern_call = modern("tools/call", "Mcp-Name: echo\n");
    let [newest, oldest] = ["2025-11-25", "2025-03-26"].map(initialize);
    let batch = format!("[{},{INITIALIZED},{}]", call("1", "echo", ""), call("2", "chatty", TOKEN));
    let list = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{{}}}}}"#, &MODERN[1..]);
    let listen = format!(
        r#"{{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{{{}}}}}"#,
        &MODERN[1..]
    );
    let answer = r#"{"jsonrpc":"2.0","id":$R,"result":{"roots":[]}}"#;
    let mut inputs = vec![
        requests(&[
            ('2', POST, "", &newest),
            ('2', POST, versioned, INITIALIZED),
            ('0', GET, versioned, ""),
            ('2', POST, versioned, &call("1.0", "echo", TOKEN)),
            ('0', POST, versioned, &call("2", "chatty", TOKEN)),
            ('2', POST, versioned, answer),
            ('2', GET, "Mcp-Session-Id: $S\nLast-Event-ID: $E\n", ""),
            ('2', "DELETE /mcp\nHost: localhost\n", versioned, ""),
            ('2', POST, versioned, &call("3", "echo", "")),
        ]),
        requests(&[
            ('2', POST, "", &newest),
            ('0', POST, IN_SESSION, &call("2", "silent", "")),
            ('2', POST, IN_SESSION, CANCELLED),
            ('3', POST, IN_SESSION, &call("2", "silent", "")),
            ('2', POST, IN_SESSION, &call("\"t\"", "twice", "")),
            ('2', POST, IN_SESSION, &call("4", "stray", "")),
            ('3', GET, IN_SESSION, ""),
        ]),
        requests(&[
            ('2', POST, "", &oldest),
            ('2', POST, IN_SESSION, &batch),
            ('2', POST, IN_SESSION, "[]"),
            ('2', POST, IN_SESSION, &call("5", "error", "")),
        ]),
        requests(&[
            ('2', POST, &modern("tools/list", ""), &list),
            ('2', POST, &modern_call, &call("1", "echo", MODERN)),
            ('r', POST, &modern_call, &call("1", "echo", "")),
            ('0', POST, &modern("subscriptions/listen", ""), &listen),
            (
                '2',
                POST,
                &modern("tools/call", "Mcp-Name: mirrored\nMcp-Param-Region: x\n"),
                &call("3", "mirrored", MODERN),
            ),
            ('2', GET, "MCP-Protocol-Version: 2026-07-28\n", ""),
        ]),
        requests(&[
            ('4', POST, "", "{\"jsonrpc\""),
            ('8', POST, "", "{\"jsonrpc\""),
            ('0', "PUT /mcp\nHost: localhost\n", "", "x"),
            ('0', "POST /mcp\nHost: evil.example\n", "", "{}"),
            ('0', POST, "Origin: https://evil.example\n", "{}"),
            ('0', GET, "Mcp-Session-Id: unknown\n", ""),
            ('0', POST, "Accept: text/html\nContent-Type: text/plain\n", "{}"),
        ]),
        requests(&[
            ('2', POST, "", &newest),
            ('2', POST, "", &newest),
            ('2', POST, "", &newest),
            ('2', POST, "", &newest),
        ]),
    ];
    inputs.push(requests(&[
        ('0', POST, &format!("X-Large: {}\n", "x".repeat(3000)), ""),
        ('0', POST, "", &"[".repeat(3000)),
    ]));
    inputs
}

fn http_sse() -> Vec<Vec<u8>> {
    let sse = "GET /sse\nHost: localhost\nAccept: text/event-stream\n";
    let post = "POST /message?sessionId=$S\nHost: localhost\nContent-Type: application/json\n";
    let open = initialize("2024-11-05");
    vec![
        requests(&[
            ('0', sse, "", ""),
            ('2', post, "", &open),
            ('2', post, "", INITIALIZED),
            ('2', post, "", &call("1.0", "chatty", TOKEN)),
            ('2', post, "", r#"{"jsonrpc":"2.0","id":$R,"result":{}}"#),
            ('2', post, "", &call("2", "silent", "")),
            ('2', post, "", CANCELLED),
        ]),
        requests(&[
            ('0', sse, "", ""),
            ('0', sse, "", ""),
            ('3', sse, "", ""),
            ('2', post, "", &call("1", "echo", "")),
            ('2', post, "", &format!("[{}]", call("1", "echo", ""))),
            ('4', post, "", "{"),
            ('8', post, "", "{"),
        ]),
        requests(&[
            ('0', "POST /message\nHost: localhost\n", "", "{}"),
            ('0', "POST /message?sessionId=0\nHost: localhost\n", "", "{}"),
            ('0', "GET /message\nHost: localhost\n", "", ""),
            ('0', "POST /sse\nHost: localhost\n", "", ""),
            ('0', "GET /other\nHost: [::1]\n", "", ""),
            ('0', "GET /sse\nHost: evil.example\n", "", ""),
            ('p', "GET http://localhost/sse\nAccept: application/json\n", "Origin: null\n", ""),
        ]),
    ]
}

fn documents() -> Vec<Vec<u8>> {
    owned(&[
        b"openapi: 3.0.3\nservers: [{url: 'https://h/{v}', variables: {v: {default: '1'}}}]\npaths:\n  /a/{id}:\n    parameters: [{$ref: '#/components/parameters/Id'}]\n    get: {operationId: get it, tags: [x], parameters: [{name: f, in: query, style: deepObject, schema: {type: object}}, {name: X-H, in: header}], responses: {'200': {content: {application/json: {schema: {$ref: '#/components/schemas/Tree'}}}}}}\n    put: {requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Tree'}}}}}\ncomponents:\n  parameters: {Id: {name: id, in: path, required: true, schema: {type: string, nullable: true}}}\n  schemas: {Tree: {type: object, required: [id, name], properties: {id: {type: string, readOnly: true}, name: {type: integer, minimum: 1, exclusiveMinimum: true}, of: {type: array, items: {$ref: '#/components/schemas/Tree'}}}}}\n  securitySchemes: {K: {type: apiKey, in: query, name: key}}\n",
        b"{\"openapi\":\"3.1.0\",\"paths\":{\"/f\":{\"post\":{\"deprecated\":true,\"requestBody\":{\"content\":{\"multipart/form-data\":{\"schema\":{\"type\":\"object\",\"properties\":{\"file\":{\"contentMediaType\":\"image/png\"},\"a[b]\":{\"$ref\":\"#/components/schemas/S\",\"description\":\"d\"}}},\"encoding\":{\"file\":{\"contentType\":\"image/png\"}}}}}},\"delete\":{}}},\"components\":{\"schemas\":{\"S\":{\"oneOf\":[{\"const\":1},{\"enum\":[\"x\",null]}],\"$defs\":{\"In\":true}}}}}",
        b"openapi: 3.1\nx: &a [1, 2]\ny: &b [*a, *a]\nz: [*b, *b]\npaths: {/x: &x {get: {}}, /y: *x}\n",
        b"openapi: 3.0.0\npaths: {/a: {get: {parameters: [{$ref: '#/paths/~1a/get/parameters/0'}]}}, /b: {get: {parameters: [{$ref: 'https://evil.example/p'}]}}, '/c{d}{e}': {get: {}}}\n",
        b"swagger: '2.0'\npaths: {}\n",
        b"{\"openapi\":\"3.0.0\",\"openapi\":\"3.1.0\"}",
        b"openapi: 3.0.0\npaths: {/s: {post: {requestBody: {content: {application/x-www-form-urlencoded: {schema: {properties: {q: {type: string}, r: {type: object}}, required: [q, none]}, encoding: {r: {style: deepObject}}}, '*/*': {}}}}, get: {parameters: [{name: id, in: query}, {name: id, in: header}, {name: id, in: cookie}]}}}\n",
        b"openapi: 3.1.0\nsecurity: [{k: [], s: []}, {}]\npaths:\n  /l/{l}/m{m}{n}.json:\n    get: {parameters: [{name: l, in: path, style: label, explode: true, schema: {type: array, items: {}}}, {name: m, in: path, style: matrix, schema: {type: string, pattern: '^(a+)+$'}}, {name: n, in: path, style: matrix, explode: true, schema: {type: object}}, {name: c, in: cookie}, {name: d, in: cookie, explode: false, schema: {type: object}}, {name: sid, in: cookie}], security: [{s: []}]}\ncomponents: {securitySchemes: {k: {type: http, scheme: bearer}, s: {type: apiKey, in: cookie, name: sid}}}\n",
        b"openapi: 3.1.0\npaths: {/a: {get: {parameters: [{name: q, in: query, schema: {propeerits: {a: {$ref: 'https://evil.example/s'}}}}]}}}\n",
    ])
}
