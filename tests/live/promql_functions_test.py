"""docs/promql-functions.md is what the tables of the parser say; and every word of theirs is understood.

    promql_functions_test.py BUILD [--write]       --write makes the page anew
"""
import os
import sys

from lab import Lab, expect

HEAD = """# The words of PromQL

Made from the parser's own tables (`src/query/promql/functions.c`, `words.c`) by `tests/live/promql_functions_test.py build --write`; a test
fails when this page and the tables differ. `GET /api/v1/functions` answers the same as JSON, which is what completion in the web pages
uses. What is marked experimental needs a flag in Prometheus; here it is always on.

A `vector` is an instant vector, a `range` a range vector such as `x[5m]`; what stands in brackets may be left out, and
before `...` as many as wanted may stand.
"""
TITLES = [("aggregators", "Aggregations"), ("keywords", "Operators and numbers in words"), ("modifiers", "Modifiers")]


def cell(text):
    return text.replace("|", "\\|")


def page(words):
    out = [HEAD, "## Functions\n", "| function | answers | what it does |", "|---|---|---|"]
    out += ["| `%s` | %s | %s%s |" % (cell(f["signature"]), f["returns"], cell(f["help"]), " *Experimental.*" if f["experimental"] else "") for f in words["functions"]]
    for key, title in TITLES:
        out += ["", "## %s\n" % title, "| word | for example | what it does |", "|---|---|---|"]
        out += ["| `%s` | `%s` | %s%s |" % (w["name"], cell(w["syntax"]), cell(w["help"]), " *Experimental.*" if w["experimental"] else "") for w in words[key]]
    return "\n".join(out) + "\n"


def example(function):
    """A call with an argument of each type, as few as may be."""
    texts = {"scalar": "1", "vector": "v", "range": "v[5m]", "string": '"a"'}
    args = [texts[a["type"]] for a in function["args"]][:len(function["args"]) - function["optional"]]
    if function["name"] == "label_replace":
        args[-1] = '"(.*)"'
    return "%s(%s)" % (function["name"], ", ".join(args))


def main():
    lab = Lab(sys.argv)
    server = lab.vedette("--self-metrics=no", "--host-metrics=no")
    path = os.path.join(lab.root, "docs", "promql-functions.md")
    words = server.api("/api/v1/functions")
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8") as f:
            f.write(page(words))

    def same_as_docs():
        with open(path, encoding="utf-8") as f:
            expect(f.read().split("\n"), page(words).split("\n"), "docs/promql-functions.md")

    def all_parse():
        for f in words["functions"]:
            tree = server.api("/api/v1/parse_query", {"query": example(f)}, "POST")
            expect((tree["type"], tree["func"]["name"]), ("call", f["name"]), example(f))
        for w in words["aggregators"] + words["keywords"] + words["modifiers"]:
            server.api("/api/v1/parse_query", {"query": w["syntax"]}, "POST")

    def reserved():
        """A metric cannot be called so where an operator or modifier is expected."""
        for w in words["keywords"] + words["modifiers"]:
            if w["name"] in ("inf", "nan", "@"):
                continue
            status, _, _ = server.get("/api/v1/parse_query", {"query": "v %s" % w["name"]})
            expect(status in (200, 400) and (status == 200) == (w["name"] in ("anchored", "smoothed")), True, "v %s: %d" % (w["name"], status))

    lab.case("docs_and_tables_say_the_same", same_as_docs)
    lab.case("every_function_and_example_parses", all_parse)
    lab.case("modifiers_are_no_names_after_a_vector", reserved)
    lab.done()


if __name__ == "__main__":
    main()
