#include "receive/relabel.h"

#include "base/check.h"
#include "unit/test.h"

/* Labels before and after as a=1,b=2 sorted by name; NULL after: dropped. Expectations follow Prometheus'
 * documentation; the hash is MD5 computed elsewhere. */
static const struct {
    const char *name, *rules, *before, *after;
} cases[] = {
    { "replace_with_a_capture",
      "[{source_labels: [a], regex: 'f(.*)', replacement: 'ch${1}-ch${1}', target_label: d}]", "a=foo,b=bar",
      "a=foo,b=bar,d=choo-choo" },
    { "replace_joins_with_semicolons",
      "[{source_labels: [a, b], regex: 'f(.*);(.*)r', replacement: 'b${1}${2}m', target_label: c}]",
      "a=foo,b=bar", "a=foo,b=bar,c=boobam" },
    { "replace_joins_with_a_separator", "[{source_labels: [a, b], separator: '@', target_label: c}]",
      "a=x,b=y", "a=x,b=y,c=x@y" },
    { "replace_without_a_match_changes_nothing",
      "[{source_labels: [a], regex: boo, replacement: z, target_label: a}]", "a=foo", "a=foo" },
    { "replace_is_anchored", "[{source_labels: [a], regex: oo, replacement: z, target_label: a}]", "a=foo",
      "a=foo" },
    { "replace_with_nothing_deletes", "[{source_labels: [a], target_label: b, replacement: ''}]", "a=foo,b=x",
      "a=foo" },
    { "replace_of_a_missing_label_deletes_the_target", "[{source_labels: [missing], target_label: b}]",
      "a=1,b=2", "a=1" },
    { "replace_without_sources_sets", "[{target_label: c, replacement: fixed}]", "a=1", "a=1,c=fixed" },
    { "replace_may_name_the_target_by_a_capture",
      "[{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', replacement: '${2}'}]",
      "a=some-name-value", "a=some-name-value,name=value" },
    { "replace_to_an_empty_name_is_left_out",
      "[{source_labels: [a], regex: 'x(.*)', target_label: '${1}', replacement: v}]", "a=x", "a=x" },
    { "default_action_copies", "[{source_labels: [a], target_label: b}]", "a=1", "a=1,b=1" },
    { "keep_keeps", "[{source_labels: [a], regex: fo+, action: keep}]", "a=foo", "a=foo" },
    { "keep_drops_the_rest", "[{source_labels: [a], regex: fo, action: keep}]", "a=foo", NULL },
    { "drop_drops", "[{source_labels: [a], regex: '.*o.*', action: drop}]", "a=foo", NULL },
    { "drop_leaves_the_rest", "[{source_labels: [a], regex: o, action: drop}]", "a=foo", "a=foo" },
    { "dot_matches_a_line_end", "[{source_labels: [a], regex: 'x.y', action: drop}]", "a=x\ny", NULL },
    { "keepequal_keeps_equal", "[{source_labels: [a], target_label: b, action: keepequal}]", "a=1,b=1",
      "a=1,b=1" },
    { "keepequal_drops_different", "[{source_labels: [a], target_label: b, action: keepequal}]", "a=1,b=2",
      NULL },
    { "dropequal_drops_equal", "[{source_labels: [a], target_label: b, action: dropequal}]", "a=1,b=1",
      NULL },
    { "dropequal_of_two_missing_drops", "[{source_labels: [x], target_label: y, action: dropequal}]", "a=1",
      NULL },
    { "dropequal_keeps_different", "[{source_labels: [a], target_label: b, action: dropequal}]", "a=1,b=2",
      "a=1,b=2" },
    { "hashmod", "[{source_labels: [c], target_label: d, modulus: 1000, action: hashmod}]", "c=baz",
      "c=baz,d=976" },
    { "hashmod_of_nothing", "[{source_labels: [x], target_label: d, modulus: 1000, action: hashmod}]",
      "c=baz", "c=baz,d=958" },
    { "labelmap_copies", "[{regex: '(b.*)', replacement: 'new_${1}', action: labelmap}]", "a=1,b1=x,b2=y",
      "a=1,b1=x,b2=y,new_b1=x,new_b2=y" },
    { "labelmap_with_defaults", "[{regex: '__meta_(.+)', action: labelmap}]", "__meta_zone=z,a=1",
      "__meta_zone=z,a=1,zone=z" },
    { "labeldrop", "[{regex: 'b.*', action: labeldrop}]", "a=1,b1=x,b2=y", "a=1" },
    { "labelkeep", "[{regex: 'b.*', action: labelkeep}]", "a=1,b1=x,b2=y", "b1=x,b2=y" },
    { "lowercase", "[{source_labels: [a], target_label: a, action: lowercase}]", "a=ÄbC", "a=äbc" },
    { "uppercase", "[{source_labels: [a], target_label: b, action: uppercase}]", "a=äbc1", "a=äbc1,b=ÄBC1" },
    { "actions_ignore_case", "[{source_labels: [a], regex: foo, action: Drop}]", "a=foo", NULL },
    { "rules_see_what_earlier_ones_did",
      "[{source_labels: [a], target_label: tmp}, {source_labels: [tmp], regex: foo, replacement: yes, "
      "target_label: b}, {regex: tmp, action: labeldrop}]",
      "a=foo", "a=foo,b=yes" },
    { "a_dropped_set_stops",
      "[{source_labels: [a], regex: foo, action: drop}, {target_label: b, replacement: x}]", "a=foo", NULL },
};

static int parse(const char *text, struct arena *a, struct relabel *out, struct err *e)
{
    struct yaml *y;
    int rc = yaml_parse(str_of(text), "test.yml", a, &y, e);
    return rc < 0 ? rc : relabel_parse(y, "test.yml", a, out, e);
}

static void run(const char *rules, const char *before, char *out, size_t cap)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct err e = ERR_INIT;
    struct relabel r;
    struct label_set s = { .arena = &a };
    struct buf text = BUF_INIT(cap - 1);
    if (parse(rules, &a, &r, &e) < 0) fail_msg("%s", e.text);
    for (struct str rest = str_of(before); rest.n > 0;) {
        struct str value, pair = str_cut(rest, ',', &rest), name = str_cut(pair, '=', &value);
        label_set_put(&s, name, value);
    }
    if (relabel_apply(&r, &s)) {
        labels_normalise(s.at, &s.n, NULL);
        for (size_t i = 0; i < s.n; i++)
            buf_printf(&text, "%s%.*s=%.*s", i > 0 ? "," : "", STR_ARG(s.at[i].name), STR_ARG(s.at[i].value));
    } else {
        buf_cs(&text, "dropped");
    }
    snprintf(out, cap, "%s", buf_cstr(&text));
    buf_release(&text);
    relabel_release(&r);
    arena_release(&a);
}

TEST(relabel_actions_do_what_prometheus_documents)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        char got[512];
        run(cases[i].rules, cases[i].before, got, sizeof got);
        if (strcmp(got, cases[i].after ? cases[i].after : "dropped") != 0)
            fail_msg("%s: got %s, want %s", cases[i].name, got, cases[i].after ? cases[i].after : "dropped");
    }
}

TEST(relabel_refuses_incomplete_rules_and_names_the_line)
{
    static const struct {
        const char *rules, *says;
    } bad[] = {
        { "- {action: nonsense}", "test.yml:1: unknown relabel action" },
        { "- {target_label: x}\n- {source_labels: [a]}",
          "test.yml:2: relabel configuration for replace action requires" },
        { "- {action: hashmod, target_label: x}", "non-zero modulus" },
        { "- {action: labeldrop, regex: x, source_labels: [a]}", "requires only 'regex'" },
        { "- {action: keepequal, source_labels: [a], target_label: b, regex: x}",
          "requires only 'source_labels'" },
        { "- {target_label: x, regex: '('}", "test.yml:1: regex:" },
        { "- {target_label: x, source_labels: a}", "source_labels: expected a list" },
        { "- 5", "a relabelling rule is a map" },
        { "x: y", "relabelling rules are a list" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct err e = ERR_INIT;
        struct relabel r;
        EXPECT(parse(bad[i].rules, &a, &r, &e) == ERR_PARSE);
        if (strstr(e.text, bad[i].says) == NULL) fail_msg("%s: %s", bad[i].rules, e.text);
        arena_release(&a);
    }
}

TEST(relabel_prints_what_it_would_read_again)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct relabel r, again;
    struct buf one = BUF_INIT(1 << 16), two = BUF_INIT(1 << 16);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = ERR_INIT;
        buf_clear(&one);
        buf_clear(&two);
        EXPECT(parse(cases[i].rules, &a, &r, &e) == OK);
        relabel_print(&r, "", &one);
        if (parse(buf_cstr(&one), &a, &again, &e) < 0)
            fail_msg("%s: %s\n%s", cases[i].name, e.text, buf_cstr(&one));
        relabel_print(&again, "", &two);
        EXPECT(str_eq(buf_view(&one), buf_view(&two)));
        relabel_release(&r);
        relabel_release(&again);
    }
    buf_release(&one);
    buf_release(&two);
    arena_release(&a);
}

TESTS(CASE(relabel_actions_do_what_prometheus_documents),
      CASE(relabel_refuses_incomplete_rules_and_names_the_line),
      CASE(relabel_prints_what_it_would_read_again))
