use super::*;
use crate::Proxies;

fn of(variables: &[(&str, &str)]) -> Result<Proxies, BadProxy> {
    Proxies::from_variables(|name| {
        variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
    })
}

fn way(proxies: &Proxies, url: &str) -> Option<String> {
    proxies.of(&url.parse().unwrap()).map(|proxy| proxy.to_string())
}

#[test]
fn each_scheme_has_its_variable_and_all_proxy_counts_where_it_says_nothing() {
    let proxies = of(&[("HTTPS_PROXY", "http://secure:1"), ("ALL_PROXY", "socks5://all")]).unwrap();
    assert_eq!(way(&proxies, "https://a.example/").unwrap(), "http://secure:1");
    assert_eq!(way(&proxies, "http://a.example/").unwrap(), "socks5://all:1080");
    let proxies = of(&[("HTTP_PROXY", "plain:1")]).unwrap();
    assert_eq!(way(&proxies, "http://a.example/").unwrap(), "http://plain:1");
    assert_eq!(way(&proxies, "https://a.example/"), None);
    assert_eq!(of(&[("NO_PROXY", "*")]).unwrap(), Proxies::none());
    assert_eq!(of(&[("HTTPS_PROXY", " ")]).unwrap(), Proxies::none());
}

#[test]
fn the_lower_case_name_counts_first_unless_it_is_empty() {
    let proxies = of(&[("HTTPS_PROXY", "http://upper:1"), ("https_proxy", "http://lower:1")]).unwrap();
    assert_eq!(way(&proxies, "https://a.example/").unwrap(), "http://lower:1");
    let proxies = of(&[("HTTPS_PROXY", "http://upper:1"), ("https_proxy", "")]).unwrap();
    assert_eq!(way(&proxies, "https://a.example/").unwrap(), "http://upper:1");
}

#[test]
fn what_a_client_of_a_cgi_program_says_is_no_proxy() {
    let cgi = ("REQUEST_METHOD", "GET");
    let proxies = of(&[cgi, ("HTTP_PROXY", "http://evil:1"), ("HTTPS_PROXY", "http://good:1")]).unwrap();
    assert_eq!(way(&proxies, "http://a.example/"), None);
    assert_eq!(way(&proxies, "https://a.example/").unwrap(), "http://good:1");
    let proxies = of(&[cgi, ("HTTP_PROXY", "http://evil:1"), ("http_proxy", "http://good:1")]).unwrap();
    assert_eq!(way(&proxies, "http://a.example/").unwrap(), "http://good:1");
}

#[test]
fn no_proxy_names_hosts_what_is_below_them_networks_and_ports() {
    let no = "corp.example, .dot.example *.star.example,10.0.0.0/8,192.0.2.7,[2001:db8::1],fd00::/8,at.example:8443,[::2]:81,bad.example:https";
    let proxies = of(&[("ALL_PROXY", "http://proxy:1"), ("no_proxy", no)]).unwrap();
    for straight in [
        "https://corp.example/",
        "https://CORP.example:8443/",
        "https://a.b.corp.example/",
        "https://dot.example/",
        "https://a.dot.example/",
        "https://a.star.example/",
        "http://10.1.2.3/",
        "http://192.0.2.7/",
        "http://[2001:db8::1]:8080/",
        "http://[fd12::1]/",
        "https://at.example:8443/",
        "https://a.at.example:8443/",
        "http://[::2]:81/",
    ] {
        assert_eq!(way(&proxies, straight), None, "{straight}");
    }
    for through in [
        "https://notcorp.example/",
        "https://corp.example.org/",
        "http://11.1.2.3/",
        "http://192.0.2.8/",
        "http://[2001:db8::2]/",
        "https://at.example/",
        "http://at.example:443/",
        "http://[::2]/",
        "https://bad.example/",
    ] {
        let way = way(&proxies, through);
        // Without a written port, the scheme's port counts.
        assert_eq!(way.as_deref(), Some("http://proxy:1"), "{through}");
    }
    let all = of(&[("ALL_PROXY", "http://proxy:1"), ("no_proxy", "*")]).unwrap();
    assert_eq!(way(&all, "https://a.example/"), None);
    let of_tls = of(&[("ALL_PROXY", "http://proxy:1"), ("no_proxy", "a.example:443")]).unwrap();
    assert_eq!(way(&of_tls, "https://a.example/"), None);
    assert!(way(&of_tls, "http://a.example/").is_some());
}

#[test]
fn this_machine_is_asked_without_a_proxy_unless_that_is_said_of_all() {
    let proxies = of(&[("ALL_PROXY", "http://proxy:1")]).unwrap();
    let all = Proxies::all("http://proxy:1").unwrap();
    for url in [
        "http://localhost:8808/mcp",
        "https://LOCALHOST./",
        "http://app.localhost/",
        "http://127.0.0.1/",
        "http://127.8.8.8/",
        "http://[::1]:80/",
        "http://[::ffff:127.0.0.1]/",
    ] {
        assert_eq!(way(&proxies, url), None, "{url}");
        assert!(way(&all, url).is_some(), "{url}");
    }
    assert!(way(&proxies, "http://localhost.example/").is_some());
}

#[test]
fn what_is_no_url_of_a_proxy_is_refused_without_being_shown() {
    for (url, wanted) in [
        ("https://user:s3cr3t@proxy", "no TLS is spoken with a proxy"),
        ("socks4://user:s3cr3t@proxy", "none of http, socks5 and socks5h"),
        ("ftp://user:s3cr3t@proxy", "none of http"),
        ("http://user:s3cr3t@", "write it as http://proxy:3128"),
        ("http://user:s3cr3t@proxy:99999", "no URL of a proxy"),
        ("http://user:s3cr3t@proxy:", "not a number"),
        ("http://user:s3cr3t@pr oxy", "percent-encoded"),
        ("/s3cr3t", "it names no host"),
    ] {
        let error = of(&[("HTTPS_PROXY", url)]).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.starts_with("HTTPS_PROXY is no URL of a proxy: "), "{text}");
        assert!(text.contains(wanted) && !text.contains("s3cr3t"), "{url}: {text}");
    }
}

#[test]
fn users_and_passwords_are_shown_nowhere() {
    let url = "http://us%40er:s3cr%23t@proxy:3128";
    let proxies = of(&[("HTTPS_PROXY", url), ("HTTP_PROXY", url)]).unwrap();
    let proxy = proxies.of(&"https://a.example".parse().unwrap()).unwrap();
    let forward = proxies.forward(&"http://a.example".parse().unwrap()).unwrap();
    let shown = format!("{proxies:?} {proxy:?} {proxy} {forward:?} {:?}", forward.authorization());
    for secret in ["s3cr", "us@er", "us%40er", "Basic"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    // us@er:s3cr#t
    assert_eq!(forward.authorization().unwrap(), "Basic dXNAZXI6czNjciN0");
}

#[test]
fn rules_that_say_the_same_are_equal() {
    let one = [("HTTPS_PROXY", "http://user:a@proxy:1"), ("NO_PROXY", "a.example:1")];
    assert_eq!(of(&one).unwrap(), of(&one).unwrap());
    assert_ne!(of(&one).unwrap(), of(&one[..1]).unwrap());
    assert_ne!(of(&one[..1]).unwrap(), of(&[("HTTPS_PROXY", "http://user:b@proxy:1")]).unwrap());
    assert_ne!(of(&[("ALL_PROXY", "http://p:1")]).unwrap(), Proxies::all("http://p:1").unwrap());
}
