use clap::Parser as _;

use super::*;
use crate::args::{Cli, Command};

fn planned(line: &[&str]) -> Result<Plan, OpenApiError> {
    let cli = Cli::try_parse_from([&["crossway", "openapi"], line].concat()).unwrap();
    let Command::OpenApi(args) = cli.command else { panic!("not openapi") };
    plan(args)
}

#[test]
fn each_mistake_says_what_to_do() {
    for (line, wanted) in [
        (&[][..], "whose tools are to be served?"),
        (&["--config", "f", "--", "cat"], "put what stands behind `--` into it"),
        (&["--config", "f", "--type", "sse"], "each server has its \"type\""),
        (&["--hot-reload", "--", "cat"], "--hot-reload is for --config"),
        (&["--header", "{}", "--", "cat"], "--header is for a URL"),
        (&["--type", "sse", "--header", "[]", "--", "http://h/"], "--header is a JSON object"),
        (
            &["--type", "sse", "--header", r#"{"A":"${NOT_SET_ANYWHERE}"}"#, "--", "http://h/"],
            "NOT_SET_ANYWHERE",
        ),
        (&["--type", "sse", "--", "cat"], "one URL stands behind `--`"),
        (&["--type", "sse", "--", "http://a/", "b"], "more than one word"),
        (&["--type", "streamable-http", "--", "ftp://a/"], "has to begin with http://"),
        (&["--strict-auth", "--", "cat"], "--strict-auth needs --api-key"),
        (&["-k", "a b", "--", "cat"], "--api-key can't be sent"),
        (&["--ssl-certfile", "f", "--", "cat"], "need each other"),
        (&["--cors-allow-origins", "chat", "--", "cat"], "is not an origin"),
        (&["-e", "secret", "--", "cat"], "is not NAME=VALUE"),
        (&["--env-path", "/nonexistent", "--", "cat"], "/nonexistent can't be read"),
        (&["--host", "not a host", "--", "cat"], "is no name and no address"),
    ] {
        let error = planned(line).map(drop).unwrap_err().to_string();
        assert!(error.contains(wanted), "{line:?}: {error}");
    }
}

#[test]
fn a_key_opens_the_doors_that_are_closed_without_one() {
    let plan = planned(&["--port", "9", "--", "cat"]).unwrap();
    assert_eq!(plan.listen.address, ([127, 0, 0, 1], 9).into());
    let plan = planned(&["-k", "top-secret", "--", "cat"]).unwrap();
    assert_eq!(plan.listen.address, ([0, 0, 0, 0], 8000).into());
    assert!(plan.tools.key.is_some());
    let plan = planned(&["-h", "localhost", "-p", "0", "--api-key", "", "--", "cat"]).unwrap();
    assert!(plan.listen.address.ip().is_loopback() && plan.tools.key.is_none());
}

#[test]
fn mcpos_short_flags_are_understood() {
    let line =
        ["-n", "N", "-d", "D", "-v", "1", "-e", "A=b=c", "--log-level", "WARNING", "--", "x", "-h", "y"];
    let plan = planned(&line).unwrap();
    assert_eq!(plan.tools.title.as_deref(), Some("N"));
    let Some(UpstreamPlan::Command(command)) = plan.upstream else { panic!("no command") };
    assert_eq!(command.args, ["-h", "y"]);
    assert!(command.env.contains(&("A".into(), "b=c".into())));
    assert!(command.env.iter().any(|(name, _)| name == "PATH"));
}

#[test]
fn headers_are_json_and_urls_say_their_transport() {
    let plan =
        planned(&["--type", "streamable_http", "-H", r#"{"X-A": "b"}"#, "--", "http://h/mcp"]).unwrap();
    let Some(UpstreamPlan::Url(url)) = plan.upstream else { panic!("no URL") };
    assert_eq!(url.transport, Some(TransportArg::StreamableHttp));
    assert_eq!(url.headers[0].1, "b");
}

#[test]
fn a_file_of_variables_is_read_as_python_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    std::fs::write(&file, "# one\n\nexport A=1\nB = 'two words'\nC=\"x=y\"\n").unwrap();
    let plan = planned(&["--env-path", file.to_str().unwrap(), "-e", "A=2", "--", "cat"]).unwrap();
    for (name, value) in [("A", "2"), ("B", "two words"), ("C", "x=y")] {
        assert!(plan.env.contains(&(name.into(), value.into())), "{name}");
    }
    for (line, wanted) in [
        ("abc # prod", "abc"),
        ("abc# prod", "abc# prod"),
        ("\"x\" # c", "x"),
        ("'x # y'# c", "x # y"),
        (r#""a \"b\" \n" "#, "a \"b\" \n"),
        (r"'a \'b\' \n'", r"a 'b' \n"),
        ("", ""),
        ("a b", "a b"),
        (" # c", ""),
        ("#c", "#c"),
        (r#""\q""#, r"\q"),
    ] {
        std::fs::write(&file, format!("W={line}\n")).unwrap();
        let plan = planned(&["--env-path", file.to_str().unwrap(), "--", "cat"]).unwrap();
        assert!(plan.env.contains(&("W".into(), wanted.into())), "{line}: {:?}", plan.env);
    }
    for line in ["secret", "B=\"secret", "B='secret' more"] {
        std::fs::write(&file, format!("A=1\n{line}\n")).unwrap();
        let error = planned(&["--env-path", file.to_str().unwrap(), "--", "cat"]).map(drop).unwrap_err();
        assert!(error.to_string().ends_with("env:2 is not NAME=VALUE"), "{error}");
    }
}
