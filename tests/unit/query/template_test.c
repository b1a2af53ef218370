/* Go templates: what Go's documentation of text/template and Sprig's and Loki's of their functions say. */
#include "query/template.h"

#include "query/logql/template_loki.h"
#include "unit/test.h"

static struct arena arena = ARENA_INIT(64 << 20);

static struct tvalue label(void *ctx, struct str name, struct arena *a)
{
    static const struct {
        const char *name, *value;
    } labels[] = { { "path", "/a b/c" },
                   { "status", "200" },
                   { "duration", "3000" },
                   { "empty", "" },
                   { "json", "{\"b\":[1,\"x\",true],\"a\":{\"c\":null}}" },
                   { "msg", "hello world" } };
    (void)ctx;
    (void)a;
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (str_is(name, labels[i].name)) return tv_str(str_of(labels[i].value));
    return (struct tvalue){ 0 };
}

static const char *run(const char *text)
{
    static struct buf out = BUF_INIT(1 << 20);
    struct tlookup labels = { label, NULL, NULL, true };
    struct kept_regexes kept = { 0 };
    struct template_line line = { STR("the line"), 1700000000123456789, &kept };
    struct template *t;
    struct err e = ERR_INIT;
    buf_clear(&out);
    if (template_new(str_of(text), template_loki(), &t, &e) == OK) {
        if (template_run(t, (struct tvalue){ .type = TV_LOOKUP, .lookup = &labels }, &line, &arena, &out,
                         &e) < 0) {
            buf_clear(&out);
            buf_printf(&out, "error: %s", e.text);
        }
        template_free(t);
    } else {
        buf_printf(&out, "refused: %s", e.text);
    }
    kept_regexes_release(&kept);
    return buf_cstr(&out);
}

TEST(text_fields_and_pipes)
{
    EXPECT_STR(run("plain"), "plain");
    EXPECT_STR(run(""), "");
    EXPECT_STR(run("{{.status}} {{.missing}}|"), "200 |");
    EXPECT_STR(run("{{ .path | replace \" \" \"_\" | trunc 5 | upper }}"), "/A_B/");
    EXPECT_STR(run("a  {{- /* no */ -}}  b {{- .status -}} c"), "ab200c");
    EXPECT_STR(run("{{`raw`}} {{\"q\\\"\"}} {{'a'}} {{1.50}} {{true}} {{0x10}}"), "raw q\" 97 1.5 true 16");
    EXPECT_STR(run("{{(.status)}} {{ (printf \"%s\" .status) | len }}"), "200 3");
    EXPECT_STR(run("{{ div .duration 1000 }}"), "3");
}

TEST(branches_loops_variables)
{
    EXPECT_STR(run("{{if eq .status \"200\"}}ok{{else}}bad{{end}}"), "ok");
    EXPECT_STR(run("{{if .empty}}a{{else if .status}}b{{else}}c{{end}}"), "b");
    EXPECT_STR(run("{{ if and (contains \"he\" \"hello\") (contains \"llo\" \"hello\") }} yes {{end}}"),
               " yes ");
    EXPECT_STR(run("{{with .status}}[{{.}}]{{end}}{{with .missing}}x{{else}}none{{end}}"), "[200]none");
    EXPECT_STR(run("{{$x := .status}}{{$x}}{{$x = \"y\"}}{{$x}}"), "200y");
    EXPECT_STR(run("{{range $k, $v := fromJson .json}}{{$k}}={{$v}};{{end}}"),
               "a=map[c:<no value>];b=[1 x true];");
    EXPECT_STR(
        run("{{range $i, $e := (fromJson .json).b}}{{if eq $i 1}}{{continue}}{{end}}{{$i}}{{$e}} {{end}}"),
        "01 2true ");
    EXPECT_STR(run("{{range 5}}{{if eq . 2}}{{break}}{{end}}{{.}}{{else}}none{{end}}"), "01");
    EXPECT_STR(run("{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .status}}{{block \"u\" 1}}{{.}}{{end}}"),
               "<200>1");
    EXPECT_STR(run("{{or .empty .status}} {{and .empty .status}}|{{not .empty}}"), "200 |true");
    EXPECT_STR(run("{{if true}}{{$a := 1}}{{end}}{{$a}}"),
               "refused: template: :1: undefined variable \"$a\"");
}

TEST(comparisons_and_printf)
{
    EXPECT_STR(run("{{lt 1 2}} {{ge 2.5 2}} {{ne \"a\" \"b\"}} {{eq 1 3 1}}"), "true true true true");
    EXPECT_STR(
        run("{{printf \"%5d|%-5s|%05d|%.2f|%q|%v|%x|%t|%%\" 42 \"ab\" 7 3.14159 \"q\" 1.5 \"hi\" true}}"),
        "   42|ab   |00007|3.14|\"q\"|1.5|6869|true|%");
    EXPECT(strncmp(run("{{printf \"%8\\x00\" 1.5}}"), "%!", 2) == 0); /* a verb of zero is no verb */
    EXPECT_STR(run("{{printf \"%d\" \"x\"}} {{printf \"%d\"}} {{printf \"a\" 1}}"),
               "%!d(string=x) %!d(MISSING) a%!(EXTRA int=1)");
    EXPECT_STR(run("{{print 1 2 \"a\" \"b\" 3}}|{{println \"x\" 1}}"), "1 2ab3|x 1\n");
    EXPECT_STR(
        run("{{index (fromJson .json).b 1}} {{slice \"hello\" 1 3}} {{html \"<a>\"}} {{urlquery \"a b&\"}}"),
        "x el &lt;a&gt; a+b%26");
    EXPECT_STR(run("{{index (fromJson .json).b 9}}"),
               "error: template: :1: error calling index: index out of range: 9");
}

TEST(functions_of_text)
{
    EXPECT_STR(run("{{title \"hello world\"}} {{lower \"AB\"}} {{ToUpper \"x\"}}"), "Hello World ab X");
    EXPECT_STR(run("{{trunc -5 .msg}} {{substr 0 5 .msg}} {{repeat 3 \"ab\"}}"), "world hello ababab");
    EXPECT_STR(run("{{trim \" x \"}}{{trimAll \"$\" \"$5$\"}}{{trimPrefix \"-\" \"-h-\"}}{{trimSuffix \"-\" "
                   "\"-h-\"}}"),
               "x5h--h");
    EXPECT_STR(run("{{Replace \"a.a.a\" \".\" \"-\" 1}} {{Trim \"xax\" \"x\"}} {{TrimLeft \"xax\" \"x\"}}"),
               "a-a.a a ax");
    EXPECT_STR(
        run("{{alignLeft 5 \"ab\"}}|{{alignRight 5 \"ab\"}}|{{alignLeft 1 \"ab\"}}|{{alignRight 1 \"ab\"}}"),
        "ab   |   ab|a|b");
    EXPECT_STR(run("{{indent 2 \"a\\nb\"}}{{nindent 1 \"c\"}}"), "  a\n  b\n c");
    EXPECT_STR(run("{{regexReplaceAll \"a(x*)b\" \"-ab-axxb-\" \"${1}W\"}} {{regexReplaceAllLiteral "
                   "\"a(x*)b\" \"-ab-\" \"${1}\"}}"),
               "-W-xxW- -${1}-");
    EXPECT_STR(run("{{regexReplaceAll \"^a\" \"aaa\" \"b\"}} {{regexReplaceAll \"x*\" \"ab\" \"-\"}}"),
               "baa -a-b-");
    EXPECT_STR(run("{{count \"a|b\" \"abcab\"}} {{b64enc \"foo!\"}} {{b64dec \"Zm9vIQ==\"}} {{urlencode "
                   "\"a=b c\"}} {{urldecode \"a%3Db+c\"}}"),
               "4 Zm9vIQ== foo! a%3Db+c a=b c");
    EXPECT_STR(run("{{default \"d\" .empty}} {{default \"d\" .status}} {{hasPrefix \"he\" .msg}} {{hasSuffix "
                   "\"ld\" .msg}}"),
               "d 200 true true");
    EXPECT_STR(run("{{__line__ | upper}}"), "THE LINE");
}

TEST(functions_of_numbers_and_times)
{
    EXPECT_STR(run("{{add 3 2 5}} {{sub 5 2}} {{mul 5 2 3}} {{mod 10 3}} {{max 1 3 2}} {{min \"3\" 2}}"),
               "10 3 30 1 3 2");
    EXPECT_STR(run("{{addf 3.5 2}} {{divf 1 4}} {{ceil 123.001}} {{floor 123.9999}} {{round 123.555555 3}} "
                   "{{int 2.9}} {{float64 \"2.5\"}}"),
               "5.5 0.25 124 123 123.556 2 2.5");
    EXPECT_STR(run("{{div 1 0}}"), "error: template: :1: error calling div: integer divide by zero");
    EXPECT_STR(run("{{duration_seconds \"1m30s\"}} {{bytes \"2KB\"}}"), "90 2000");
    EXPECT_STR(run("{{date \"2006-01-02T15:04:05.000Z07:00\" __timestamp__}}"), "2023-11-14T22:13:20.123Z");
    EXPECT_STR(run("{{__timestamp__ | unixEpoch}} {{__timestamp__ | unixEpochMillis}} {{unixEpochNanos "
                   "__timestamp__}}"),
               "1700000000 1700000000123 1700000000123456789");
    EXPECT_STR(run("{{toDate \"2006-01-02\" \"2021-11-02\" | date \"Mon Jan _2 2006\"}}"), "Tue Nov  2 2021");
    EXPECT_STR(run("{{toDateInZone \"2006-01-02 15:04\" \"+02:00\" \"2021-11-02 01:00\" | unixEpoch}}"),
               "1635807600");
    EXPECT_STR(run("{{unixToTime \"1679577215\" | date \"03:04:05 PM\"}}"), "01:13:35 PM");
}

TEST(what_is_wrong_is_refused)
{
    EXPECT_STR(run("a\n{{if}}"), "refused: template: :2: missing value for command");
    EXPECT_STR(run("{{if true}}"), "refused: template: :1: unexpected EOF");
    EXPECT_STR(run("{{end}}"), "refused: template: :1: unexpected {{end}}");
    EXPECT_STR(run("{{.a"), "refused: template: :1: unclosed action");
    EXPECT_STR(run("{{nosuch}}"), "refused: template: :1: function \"nosuch\" not defined");
    EXPECT_STR(run("{{break}}"), "refused: template: :1: {{break}} outside {{range}}");
    EXPECT_STR(run("{{template \"x\"}}"), "error: template: :1: template \"x\" not defined");
    EXPECT(strstr(run("{{.status.x}}"), "can't evaluate field x") != NULL);
}

TEST(runs_are_bounded)
{
    EXPECT(strstr(run("{{range 100000000}}{{end}}"), "steps") != NULL);
    EXPECT(strstr(run("{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}"), "deep") != NULL);
    EXPECT(strstr(run("{{range 1000}}{{repeat 10000 \"0123456789\"}}{{end}}"), "output") != NULL);
    EXPECT(strstr(run("{{repeat 1000000000 \"0123456789\"}}"), "too long") != NULL);
    char deep[4000] = "";
    for (int i = 0; i < 200; i++) strcat(deep, "{{if 1}}");
    EXPECT(strstr(run(deep), "nested more than") != NULL);
}

TESTS(CASE(text_fields_and_pipes), CASE(branches_loops_variables), CASE(comparisons_and_printf),
      CASE(functions_of_text), CASE(functions_of_numbers_and_times), CASE(what_is_wrong_is_refused),
      CASE(runs_are_bounded))
