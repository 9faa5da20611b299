"""Checks both charts' values; `cargo xtask charts` runs this."""

import argparse
import pathlib
import sys

import open_webui
import our_chart

PAGE = pathlib.Path(__file__).parents[3] / "docs/deployment/kubernetes.md"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--helm", required=True)
    parser.add_argument("--crossway", required=True)
    parser.add_argument("--open-webui", metavar="DIR", help="a clone of github.com/open-webui/helm-charts")
    options = parser.parse_args()
    report = lambda line: print(f"ok  {line}", flush=True)
    our_chart.check(options.helm, options.crossway, report)
    open_webui.check(options.helm, options.crossway, PAGE, options.open_webui, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
